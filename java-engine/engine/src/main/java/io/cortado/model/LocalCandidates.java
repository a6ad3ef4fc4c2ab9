package io.cortado.model;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import io.cortado.device.Buffer;
import io.cortado.device.DType;
import io.cortado.device.Device;
import io.cortado.device.Kernels;
import io.cortado.device.ResourceStack;
import io.cortado.device.SampleParams;
import io.cortado.device.SampleRow;
import io.cortado.device.Stream;
import java.lang.foreign.MemorySegment;

/**
 * The first tokens of rows within a rank's part of the vocabulary, found by the sampler itself: it
 * keeps that many and reports them, so that the order is its own, equals included.
 */
final class LocalCandidates implements AutoCloseable {
    /** In place of an id: there are no more. */
    static final int NONE = -1;

    /** {@code CT_SAMPLE_NOT_FINITE}. */
    private static final int NOT_FINITE = 1;

    private final ResourceStack owned = new ResourceStack();
    private final SampleParams params;
    private final SampleRow candidates = new SampleRow().forced(0);
    private final SampleRow unread = new SampleRow().forced(0);
    private final Buffer token;
    private final Buffer logprob;
    private final Buffer rank;
    private final Buffer status;
    private final Buffer ids;
    private final Buffer logprobs;
    private final MemorySegment foundIds;
    private final MemorySegment foundStatus;

    /**
     * @param most of a row
     */
    LocalCandidates(Device device, int maxRows, int most) {
        params = new SampleParams(device).logitsType(DType.F32);
        boolean built = false;
        try {
            token = words(device, maxRows);
            logprob = words(device, maxRows);
            rank = words(device, maxRows);
            status = words(device, maxRows);
            ids = words(device, (long) maxRows * most);
            logprobs = words(device, (long) maxRows * most);
            foundIds = ids.host();
            foundStatus = status.host();
            built = true;
        } finally {
            if (!built) {
                owned.close();
            }
        }
    }

    static long bytes(int maxRows, int most) {
        return 4L * maxRows * (4 + 2L * most);
    }

    private Buffer words(Device device, long count) {
        Buffer buffer = device.createBuffer(Integer.BYTES * count);
        owned.push(buffer::close);
        return buffer;
    }

    /**
     * Enqueues: finds the candidates of a step's rows.
     *
     * @param logits float32 [rows][stride] of this rank
     * @param cols those that may be drawn, at least 1
     */
    void enqueue(Buffer logits, CandidateTurn turn, int cols, int stride, Stream stream) {
        for (int row = 0; row < turn.numRows(); row++) {
            int count = turn.rows.count(row);
            SampleRow params = count == 0 ? unread : candidates.topK(count).logprobs(count, true);
            params.copyTo(turn.sampleRows.host(), row);
        }
        params.numRows(turn.numRows()).vocabulary(cols, stride).maxTopLogprobs(turn.most());
        Kernels.sample(
                token,
                logprob,
                rank,
                ids,
                logprobs,
                status,
                null,
                logits,
                turn.sampleRows,
                null,
                null,
                null,
                null,
                null,
                params,
                stream);
    }

    /** For the stream, behind that: false if a logit of the row is no number, or infinite. */
    boolean isFinite(int row) {
        return foundStatus.getAtIndex(JAVA_INT, row) != NOT_FINITE;
    }

    /** The row's index-th candidate, its id counted from the part's first; {@link #NONE}. */
    int id(CandidateTurn turn, int row, int index) {
        return foundIds.getAtIndex(JAVA_INT, (long) row * turn.most() + index);
    }

    @Override
    public void close() {
        owned.close();
    }
}
