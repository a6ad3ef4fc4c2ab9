package io.cortado.gang;

import io.cortado.device.Buffer;
import io.cortado.device.Stream;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * What ranks do together, in the order of a stream. All ranks enqueue the same collectives in the
 * same order; results do not depend on which rank comes first. A failure ends the gang: what is
 * enqueued then does nothing, and {@link #failure} tells it, which is to be asked before results
 * are used.
 */
public interface Collectives extends AutoCloseable {
    /** This rank's number, from 0. */
    int rank();

    /** How many ranks there are. */
    int size();

    /**
     * Enqueues: each rank sends each rank a part.
     *
     * @param receive part r, at r * stride bytes, comes from rank r
     * @param receivedBytes int64[size]: set to how much of each part came; at most stride
     * @param send part r, at r * stride bytes, goes to rank r
     * @param sentBytes int64[size]: how much of each part there is when the stream is there; host
     *     memory
     * @param stride bytes, the same on all ranks, a multiple of 8
     */
    void allToAll(
            Buffer receive,
            Buffer receivedBytes,
            Buffer send,
            Buffer sentBytes,
            long stride,
            Stream stream);

    /**
     * Enqueues: values = the sum over the ranks, added up in the order of the ranks: the same bits
     * on all ranks and at every run.
     *
     * @param values float32[count]
     */
    void allReduce(Buffer values, long count, Stream stream);

    /**
     * Enqueues: each rank's bytes, in the order of the ranks.
     *
     * @param all size * bytes
     * @param mine bytes, beginning at 0
     * @param bytes the same on all ranks, a multiple of 4
     */
    void allGather(Buffer all, Buffer mine, long bytes, Stream stream);

    /**
     * Waits for all ranks and tells each what the others say, at once and not in a stream.
     *
     * @param all set to the ranks' values in their order: size * mine.length
     * @throws GangException if a rank does not come in time
     */
    void gather(long[] all, long[] mine);

    /** Ends the gang for all ranks that can be told; what waits fails. */
    void abort(String why);

    /**
     * Has the first failure be told, at once if it has been, on the thread that comes to know it;
     * once, to one.
     */
    void onFailure(Consumer<GangException> told);

    /** Why nothing can be exchanged any more; null: it can. */
    @Nullable GangException failure();

    @Override
    void close();
}
