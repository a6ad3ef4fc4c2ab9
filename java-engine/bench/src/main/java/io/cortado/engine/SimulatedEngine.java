package io.cortado.engine;

import io.cortado.api.EngineException;
import io.cortado.api.EngineOptions;
import io.cortado.api.EngineStats;
import io.cortado.api.Scheduling;
import io.cortado.kv.BlockPool;
import io.cortado.kv.KvCache;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One engine on a clock of its own: the production loop, scheduler and cache over a device that
 * takes as long as a cost says. In the engine's package, since all of that is private to it. For
 * one thread.
 */
public final class SimulatedEngine {
    private static final int[] NO_IDS = {};

    /** What a step does. */
    public static final class Work {
        /** Tokens that go through the layers. */
        public long tokens;

        /** Rows of logits. */
        public long rows;

        /** Tokens whose keys and values are read, over all sequences. */
        public long readTokens;

        /** Pairs of a query's token and a token that it sees. */
        public long attended;

        /** Sequences with one token, and tokens whose keys and values these read. */
        public long decodes;

        public long decodeKeys;

        /** Blocks that go between device and host, both ways. */
        public long movedBlocks;

        /** What a batch does, and the moves before it. */
        void fill(Batch batch, KvCache moves) {
            tokens = batch.numTokens();
            rows = batch.numRows();
            movedBlocks = (long) moves.toHost().size() + moves.toDevice().size();
            readTokens = 0;
            attended = 0;
            decodes = 0;
            decodeKeys = 0;
            for (int i = 0; i < batch.numSeqs(); i++) {
                long length = batch.seqlensKv[i];
                long count = batch.tokensOf(i);
                readTokens += length;
                attended += count * length - count * (count - 1) / 2;
                if (count == 1) {
                    decodes++;
                    decodeKeys += length;
                }
            }
        }
    }

    /** What a step costs. */
    @FunctionalInterface
    public interface StepCost {
        double nanos(Work work);
    }

    /** Hears what happens to the requests, by the numbers they were offered with. */
    public interface Listener {
        /** A step that ends at this time computes tokens of a request's prompt and draws others. */
        void served(int request, int promptTokens, int drawnTokens, long atNanos);

        void ended(int request, long queuedNanos, long ttftNanos, long e2eNanos);
    }

    /** What became of an offer. */
    public enum Offer {
        TAKEN,
        /** As many wait as may. */
        QUEUE_IS_FULL,
        /** It needs more blocks than there are. */
        NEVER_FITS
    }

    /** The clock of the device, and what runs on it. */
    private final class Device implements Executor {
        private final Work work = new Work();
        private @Nullable Batch last;
        private long lastEnd;
        private long endBefore;

        @Override
        public void submit(Batch batch, KvCache moves) {
            work.fill(batch, moves);
            long nanos = Math.max(1, (long) cost.nanos(work));
            endBefore = lastEnd;
            lastEnd = Math.max(now, lastEnd) + nanos;
            last = batch;
            busyNanos += nanos;
            usedBlockNanos += (double) cache.pool().used() * nanos;
        }

        @Override
        public void await(Batch batch) {
            now = Math.max(now, batch == last ? lastEnd : endBefore);
            for (int i = 0; i < batch.numSeqs(); i++) {
                Sequence sequence = batch.sequence(i);
                int end = batch.seqlensKv[i];
                int prompt = Math.min(end, sequence.prompt.length) - (end - batch.tokensOf(i));
                if (prompt > 0) {
                    listener.served((int) sequence.request.seed, prompt, 0, now);
                }
            }
            for (int row = 0; row < batch.numRows(); row++) {
                Sequence sequence = batch.sequence(batch.rowSequence[row]);
                long position = batch.rowPosition[row];
                // Of this answer alone: nobody else's prompt goes on like that.
                batch.token[row] =
                        (int) Seeds.ofAnswer(sequence.seed, (int) position) & Integer.MAX_VALUE;
                batch.status[row] = SampleStatus.OK;
                listener.served((int) sequence.request.seed, 0, 1, now);
                if (position + 1 - sequence.prompt.length == sequence.maxOutput) {
                    ending.add(sequence.request);
                }
            }
        }

        @Override
        public void close() {}
    }

    private final StepCost cost;
    private final Listener listener;
    private final KvCache cache;
    private final Door door;
    private final EngineLoop loop;
    private final PrefixKeys prefixes = new PrefixKeys("simulation", true, Integer.MAX_VALUE);
    private final List<Request> ending = new ArrayList<>();
    private long now = 1; // a request that came at 0 would have no time of arrival
    private boolean isBusy;
    private long load;
    private long busyNanos;
    private double usedBlockNanos;

    /**
     * @param options of which those of the scheduler count
     */
    public SimulatedEngine(
            EngineOptions options, int kvBlocks, int hostBlocks, StepCost cost, Listener listener) {
        this.cost = cost;
        this.listener = listener;
        cache = new KvCache(kvBlocks, hostBlocks);
        door = new Door(options.maxNumSeqs(), options.maxWaiting(), options.maxWaitingTokens());
        loop =
                new EngineLoop(
                        cache,
                        Limits.of(options.maxNumSeqs(), options.maxNumBatchedTokens(), kvBlocks)
                                .itlTarget(options),
                        AdmissionQueue.of(options),
                        new Device(),
                        door,
                        () -> now);
    }

    /** A request comes, now or while the step before now ran. */
    public Offer offer(
            int number, long arrivalNanos, int[] prompt, int maxOutput, Scheduling scheduling) {
        int most = prompt.length + maxOutput - 1;
        if (BlockPool.blocksFor(most) > cache.pool().total()) {
            return Offer.NEVER_FITS;
        }
        if (!isBusy) {
            now = Math.max(now, arrivalNanos);
        }
        try {
            door.enter(1, prompt.length);
        } catch (EngineException full) {
            return Offer.QUEUE_IS_FULL;
        }
        RequestSpec spec =
                new RequestSpec(
                        prompt,
                        1,
                        maxOutput,
                        number,
                        RowParams.RAW,
                        -1,
                        -1,
                        scheduling,
                        prefixes.of(prompt, 1, most, scheduling.cacheSalt()),
                        null,
                        () -> new StopRules(NO_IDS, 0, maxOutput, null));
        loop.put(new Request(spec, door, Math.max(1, arrivalNanos)));
        load += prompt.length + maxOutput;
        isBusy = true;
        return Offer.TAKEN;
    }

    /** One turn of the loop; false if there was nothing to do. */
    public boolean step() {
        isBusy = loop.step();
        for (int i = 0; i < ending.size(); i++) {
            Request request = ending.get(i);
            load -= request.prompt.length + request.maxOutput;
            listener.ended(
                    (int) request.seed,
                    request.queuedNanos(),
                    request.ttftNanos(),
                    request.e2eNanos());
        }
        ending.clear();
        return isBusy;
    }

    /** When the last step ended that was waited for. */
    public long nowNanos() {
        return now;
    }

    public boolean isBusy() {
        return isBusy;
    }

    /** Prompt and output tokens of the requests that are here. */
    public long load() {
        return load;
    }

    /** Time that the device has worked. */
    public long busyNanos() {
        return busyNanos;
    }

    /** Blocks in use, on average over the time that the device has worked. */
    public double meanUsedBlocks() {
        return busyNanos == 0 ? 0 : usedBlockNanos / busyNanos;
    }

    public EngineStats stats() {
        return loop.counters().snapshot();
    }
}
