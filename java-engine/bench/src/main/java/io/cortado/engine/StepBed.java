package io.cortado.engine;

import io.cortado.api.EngineOptions;
import io.cortado.api.EngineOptions.SchedulingPolicy;
import io.cortado.api.Scheduling;
import io.cortado.kv.BlockPool;
import io.cortado.kv.KvCache;

/**
 * The engine's loop over an executor that takes no time, with a full batch that decodes. In the
 * engine's package, since all of that is private to it: benchmarks run on the class path.
 */
public final class StepBed {
    /** Steps that the sequences last; all their storage is there from the start. */
    public static final int MAX_STEPS = 900;

    private static final int PROMPT = 128;
    private static final int OUTPUT = 1024;
    private static final int BUDGET = 8192;
    private static final int TENANTS = 100;

    private final PrefixKeys prefixes = new PrefixKeys("bench", true, Integer.MAX_VALUE);
    private final EngineLoop loop;
    private final Door door;

    /** Why the waiting ones wait. */
    public enum Lack {
        /** As many run as may: a step does not look at who waits. */
        PLACES,
        /** Each needs one block more than there are: every step looks, and passes them over. */
        BLOCKS
    }

    /** First come, first served, behind a full batch. */
    public StepBed(int running, int waiting) {
        this(running, waiting, Lack.PLACES, SchedulingPolicy.FCFS);
    }

    /**
     * @param running sequences that decode
     * @param waiting sequences that cannot start
     */
    public StepBed(int running, int waiting, Lack lack, SchedulingPolicy policy) {
        int each = BlockPool.blocksFor(PROMPT + OUTPUT - 1);
        int blocks = running * each + each - 1;
        Limits usual = Limits.of(running, BUDGET, blocks);
        Limits limits = lack == Lack.PLACES ? usual : allBlocksAtOnce(running + 1);
        door = new Door(running, running + waiting, 0);
        loop =
                new EngineLoop(
                        new KvCache(blocks),
                        limits,
                        AdmissionQueue.of(EngineOptions.defaults().schedulingPolicy(policy)),
                        new Instant(),
                        door,
                        System::nanoTime);
        for (int i = 0; i < running + waiting; i++) {
            door.enter(1, PROMPT);
            loop.put(new Request(spec(i), door, System.nanoTime()));
        }
        long before;
        do { // prompts share some steps with the first decodes
            before = tokens();
            step();
        } while (tokens() - before < running);
    }

    /** Sequences that are protected from the start have all their blocks or do not run. */
    private static Limits allBlocksAtOnce(int places) {
        return new Limits(
                places, BUDGET, 1, 0, Integer.MAX_VALUE, 0, Integer.MAX_VALUE, Limits.ANY_TIME);
    }

    private long tokens() {
        return loop.counters().snapshot().generationTokens();
    }

    private RequestSpec spec(int seed) {
        int[] prompt = new int[PROMPT];
        prompt[0] = seed; // nobody shares a prefix
        return new RequestSpec(
                prompt,
                1,
                OUTPUT,
                seed,
                RowParams.RAW,
                -1,
                -1,
                Scheduling.DEFAULT.tenant("tenant " + seed % TENANTS),
                prefixes.of(prompt, 1, PROMPT + OUTPUT, ""),
                null,
                () -> new StopRules(new int[] {1}, OUTPUT, OUTPUT, null));
    }

    /** Schedule, submit and accept, once. */
    public void step() {
        if (!loop.step()) {
            throw new IllegalStateException("the bed has no work left");
        }
    }

    /** Draws token 0 for every row, at once. */
    private static final class Instant implements Executor {
        @Override
        public void submit(Batch batch, KvCache cache) {}

        @Override
        public void await(Batch batch) {
            for (int row = 0; row < batch.numRows(); row++) {
                batch.token[row] = 0;
                batch.status[row] = 0;
            }
        }

        @Override
        public void close() {}
    }
}
