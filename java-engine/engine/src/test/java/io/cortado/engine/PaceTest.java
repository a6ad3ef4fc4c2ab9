package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.kv.KvCache;
import org.junit.jupiter.api.Test;

/** A scheduler on a device whose steps take what a table of costs says. */
class PaceTest {
    private static final long DECODE = 35_000_000;
    private static final long TARGET = 70_000_000;
    private static final int BUDGET = 2048;
    private static final int RUNNING = 4;

    private final Door door = new Door(1000, 1000, 0);
    private int prompts;

    /** What a step takes. */
    private interface Cost {
        double nanos(int promptTokens, int context);
    }

    /** A first token that costs much, and each one the more the longer its context is. */
    private static double growing(int tokens, int context) {
        return tokens == 0
                ? DECODE
                : DECODE + 3_000_000 + 2_000 * context + tokens * (1_500_000.0 + 800 * context);
    }

    private Sequence add(Scheduler scheduler, int prompt, int maxOutput) {
        int[] ids = Requests.prompt(prompt);
        ids[0] = 100 + prompts++;
        door.enter(1, prompt);
        Sequence sequence = new Request(Requests.spec(ids, 1, maxOutput, 3), door, 1).sequences[0];
        scheduler.add(sequence);
        return sequence;
    }

    private static long run(
            Scheduler scheduler, Batch batch, SimulatedExecutor executor, Cost cost) {
        int others = batch.numTokens() - batch.decodes();
        int context = 0;
        for (int i = 0; i < batch.numSeqs(); i++) {
            if (batch.tokensOf(i) > 1 || batch.isChunk(i)) {
                context = Math.max(context, batch.seqlensKv[i]);
            }
        }
        long nanos = (long) cost.nanos(others, context);
        executor.submit(batch, new KvCache(1));
        scheduler.advance(batch);
        executor.await(batch);
        for (int row = 0; row < batch.numRows(); row++) {
            batch.sequence(batch.rowSequence[row]).append(batch, row);
        }
        scheduler.ran(batch, nanos);
        return nanos;
    }

    @Test
    void keepsTheTimeBetweenTokensWhileALongPromptEnters() {
        Limits limits = Limits.of(8, BUDGET, 2000).itlTargetNanos(TARGET);
        Scheduler scheduler =
                new Scheduler(new KvCache(2000), limits, OrderedQueue.fcfs(), () -> 1);
        SimulatedExecutor executor = new SimulatedExecutor(1000, 2000);
        Batch batch = new Batch(limits);
        for (int i = 0; i < RUNNING; i++) {
            add(scheduler, 16, 5000);
        }
        for (int step = 0; step < 20; step++) {
            scheduler.next(batch);
            run(scheduler, batch, executor, PaceTest::growing);
        }
        Sequence entering = add(scheduler, 8192, 5);
        int steps = 0;
        int late = 0;
        long total = 0;
        while (entering.computed < entering.prompt.length) {
            scheduler.next(batch);
            assertTrue(batch.decodes() >= RUNNING, "decodes are never paused");
            long nanos = run(scheduler, batch, executor, PaceTest::growing);
            steps++;
            total += nanos;
            late += nanos > TARGET ? 1 : 0;
        }
        assertTrue(late <= steps / 100, "late=%d steps=%d".formatted(late, steps));
        double mean = (double) total / steps;
        assertTrue(mean > 0.8 * TARGET, "the time that is left is used: mean=" + mean);
    }

    @Test
    void takesAWholeBudgetWhereNothingDecodesOrNoTargetIsGiven() {
        for (long target : new long[] {TARGET, Limits.ANY_TIME}) {
            Limits limits = Limits.of(8, BUDGET, 2000).itlTargetNanos(target);
            Scheduler scheduler =
                    new Scheduler(new KvCache(2000), limits, OrderedQueue.fcfs(), () -> 1);
            SimulatedExecutor executor = new SimulatedExecutor(1000, 2000);
            Batch batch = new Batch(limits);
            add(scheduler, 4000, 5);
            scheduler.next(batch);
            assertEquals(BUDGET, batch.numTokens());
            run(scheduler, batch, executor, PaceTest::growing);
            run(next(scheduler, batch), batch, executor, PaceTest::growing);
            add(scheduler, 4000, 5);
            scheduler.next(batch);
            assertEquals(1, batch.decodes());
            boolean isPaced = target == TARGET;
            assertTrue(
                    isPaced ? batch.numTokens() <= 17 : batch.numTokens() == BUDGET,
                    "tokens=" + batch.numTokens());
        }
    }

    private static Scheduler next(Scheduler scheduler, Batch batch) {
        scheduler.next(batch);
        return scheduler;
    }

    /** A quarter of what the decodes take, at least: a target that cannot be kept stops nobody. */
    @Test
    void goesOnWhereDecodesAloneTakeLongerThanTheTarget() {
        Limits limits = Limits.of(8, BUDGET, 2000).itlTargetNanos(TARGET / 10);
        Scheduler scheduler =
                new Scheduler(new KvCache(2000), limits, OrderedQueue.fcfs(), () -> 1);
        SimulatedExecutor executor = new SimulatedExecutor(1000, 2000);
        Batch batch = new Batch(limits);
        Cost cost = (tokens, context) -> DECODE + 100_000.0 * tokens;
        add(scheduler, 10, 1000);
        run(next(scheduler, batch), batch, executor, cost);
        run(next(scheduler, batch), batch, executor, cost);
        add(scheduler, 8000, 10);
        for (int i = 0; i < 60; i++) {
            run(next(scheduler, batch), batch, executor, cost);
        }
        assertEquals(DECODE / 4.0 / 100_000, batch.numTokens() - batch.decodes(), 5);
    }
}
