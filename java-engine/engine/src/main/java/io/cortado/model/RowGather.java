package io.cortado.model;

import io.cortado.device.Buffer;
import io.cortado.device.DType;
import io.cortado.device.Device;
import io.cortado.device.Kernels;
import io.cortado.device.ResourceStack;
import io.cortado.device.Staging;
import io.cortado.device.Stream;
import io.cortado.gang.Collectives;
import org.jspecify.annotations.Nullable;

/**
 * The ranks' logits over collectives in a device's memory: all rows come whole, as parts one after
 * the other, which a kernel lays side by side. All ranks get the parts and the first one uses them.
 */
final class RowGather implements LogitExchange {
    private final ResourceStack owned = new ResourceStack();
    private final Collectives ranks;
    private final int width;
    private final int stride;
    private final boolean isFirst;
    private final Buffer ownLogits;
    private final Buffer allParts;
    private final Buffer inOrder;

    /** By rank: the first rank's logits from that rank's part of the vocabulary on. */
    private final Buffer[] columns;

    /** By rank and number of rows: where that rank's part begins, which the number decides. */
    private final @Nullable Buffer[][] parts;

    private final LogitCounts.Counter counts = new LogitCounts.Counter();

    /**
     * @param width logits of a whole row
     * @param stride of each rank but the last, which may have fewer
     * @param logits of the first rank: where whole rows are; of another: what it computes
     */
    RowGather(
            Device device,
            Staging staging,
            Collectives ranks,
            int width,
            int stride,
            int maxRows,
            Buffer logits) {
        this.ranks = ranks;
        this.width = width;
        this.stride = stride;
        isFirst = ranks.rank() == 0;
        int size = ranks.size();
        columns = new Buffer[isFirst ? size : 0];
        parts = new @Nullable Buffer[columns.length][maxRows + 1];
        boolean built = false;
        try {
            long partBytes = LogitGather.partBytes(maxRows, stride);
            ownLogits = isFirst ? own(device.createBuffer(partBytes)) : logits;
            allParts = own(device.createBuffer(size * partBytes));
            inOrder = own(staging.create(4L * maxRows, LogitGather::writeInOrder));
            for (int rank = 0; rank < columns.length; rank++) {
                long at = (long) rank * stride * Float.BYTES;
                columns[rank] = own(logits.view(at, logits.bytes() - at));
            }
            built = true;
        } finally {
            if (!built) {
                owned.close();
            }
        }
    }

    private Buffer own(Buffer buffer) {
        owned.push(buffer::close);
        return buffer;
    }

    /** Of what a rank has beside the logits. */
    static long bytes(int ranks, boolean isFirst, int maxRows, int stride) {
        long ofParts = LogitGather.partBytes(maxRows, stride);
        return ranks * ofParts + 4L * maxRows + (isFirst ? ofParts : 0);
    }

    @Override
    public Buffer ownLogits() {
        return ownLogits;
    }

    @Override
    public void enqueue(RowCandidates rows, int numRows, Stream stream) {
        long bytes = (long) numRows * stride * Float.BYTES;
        ranks.allGather(allParts, ownLogits, bytes, stream);
        for (int rank = 0; rank < columns.length; rank++) {
            Kernels.gatherRows(
                    columns[rank],
                    part(rank, numRows),
                    inOrder,
                    numRows,
                    Math.min(stride, width - rank * stride),
                    numRows,
                    width,
                    stride,
                    DType.F32,
                    stream);
        }
        if (isFirst) {
            counts.addStep(numRows, 0, (ranks.size() - 1) * bytes);
        }
    }

    /** Made once for a number of rows. */
    private Buffer part(int rank, int numRows) {
        Buffer known = parts[rank][numRows];
        if (known == null) {
            long bytes = (long) numRows * stride * Float.BYTES;
            known = own(allParts.view(rank * bytes, bytes));
            parts[rank][numRows] = known;
        }
        return known;
    }

    @Override
    public int mostCandidates() {
        return 0;
    }

    @Override
    public @Nullable Buffer masses() {
        return null;
    }

    @Override
    public @Nullable Buffer largest() {
        return null;
    }

    @Override
    public LogitCounts counts() {
        return counts.snapshot();
    }

    @Override
    public void close() {
        owned.close();
    }
}
