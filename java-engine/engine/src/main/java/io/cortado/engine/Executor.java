package io.cortado.engine;

import io.cortado.api.ExpertLoad;
import io.cortado.api.LogitTraffic;
import io.cortado.api.RankTimes;
import io.cortado.kv.KvCache;
import io.cortado.kv.Transfer;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Runs batches one after the other. The simulated one of the tests and the one on a device keep the
 * same contract.
 */
interface Executor extends AutoCloseable {

    /**
     * Starts a batch; only enqueues. The one before may still run, not the one before that: two
     * batches take turns. What is fed comes from the rows of the batch submitted before.
     *
     * @param cache whose moves run before the batch; they are read before this returns
     */
    void submit(Batch batch, KvCache cache);

    /**
     * Waits for a submitted batch and fills its token, logprob, rank, status and top arrays, and
     * the pooled rows of requests whose prompt it finishes.
     *
     * @throws RuntimeException if the device has failed: nothing can run after that
     */
    void await(Batch batch);

    /**
     * Drafts tokens for sequences, up to {@link Drafts#wanted} each, into their trees: fewer, or
     * none, where the device's proposer has no idea. Only where one was made.
     *
     * @param sequences whose last token is known and not computed; they have blocks for the drafts
     */
    default void draft(Sequence[] sequences, int count) {
        throw new IllegalStateException("nothing on the device drafts");
    }

    /** Bytes of a KV block on the device; 0 where there is no memory. */
    default long bytesPerBlock() {
        return 0;
    }

    /** The loop has nothing to do: no batch runs. */
    default void idle() {}

    /** How long after that it wants to hear so again; 0: not at all. */
    default long idleNanos() {
        return 0;
    }

    /** How often experts were chosen, as far as is known on the host. Any thread. */
    default List<ExpertLoad> expertLoads() {
        return List.of();
    }

    /** How long ranks of this process have waited for each other. Any thread. */
    default List<RankTimes> rankTimes() {
        return List.of();
    }

    /** What other ranks of the model have sent of their logits. Any thread. */
    default LogitTraffic logitTraffic() {
        return LogitTraffic.NONE;
    }

    /** Begins to move a block between host memory and the disk; asynchronous. */
    default void start(Transfer transfer) {
        throw new IllegalStateException("there is no disk tier: " + transfer.kind());
    }

    /**
     * A transfer that has ended.
     *
     * @param isRight the bytes have arrived as they were
     */
    record Ended(Transfer transfer, boolean isRight) {}

    /** The next of the transfers that have ended; null: none. */
    default @Nullable Ended ended() {
        return null;
    }

    /** Is called, by any thread, whenever a transfer has ended. */
    default void onEnded(Runnable wake) {}

    @Override
    void close();
}
