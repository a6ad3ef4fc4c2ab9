package io.cortado.model;

import io.cortado.device.Device;
import io.cortado.device.Mirror;
import io.cortado.device.Stream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * A step's tokens in two micro-batches, the first with as many as the second or one more. A
 * sequence may be cut: its second part reads what the first has written before it in the same
 * layer, as a later chunk of a prompt does.
 */
final class BatchHalves implements AutoCloseable {
    private static final int FIRST_CU_SEQLENS_Q = 0;
    private static final int FIRST_SEQLENS_KV = 1;
    private static final int POSITIONS = 2;
    private static final int SLOT_MAPPING = 3;
    private static final int CU_SEQLENS_Q = 4;
    private static final int SEQLENS_KV = 5;

    // The largest comes last: a copy ends with its last row in use.
    private static final int BLOCK_TABLE = 6;

    private final int maxBlocksPerSeq;
    private final Mirror mirror;

    /** Reads all but sequences' lengths where the whole batch does. */
    private final LayerInputs first;

    private final LayerInputs second;
    private int firstTokens;
    private int firstSeqs;
    private int secondTokens;
    private int secondSeqs;

    BatchHalves(Device device, BatchLimits limits, LayerInputs whole) {
        maxBlocksPerSeq = limits.maxBlocksPerSeq();
        mirror = new Mirror(device, sections(limits));
        first =
                new LayerInputs(
                        whole.positions(),
                        whole.slotMapping(),
                        mirror.device(FIRST_CU_SEQLENS_Q),
                        mirror.device(FIRST_SEQLENS_KV),
                        whole.blockTable(),
                        whole.hostPositions(),
                        whole.copies());
        second =
                new LayerInputs(
                        mirror.device(POSITIONS),
                        mirror.device(SLOT_MAPPING),
                        mirror.device(CU_SEQLENS_Q),
                        mirror.device(SEQLENS_KV),
                        mirror.device(BLOCK_TABLE),
                        mirror.host(POSITIONS),
                        whole.copies());
    }

    /** Bytes on the device. */
    static long bytes(BatchLimits limits) {
        return Mirror.bytes(sections(limits));
    }

    private static long[] sections(BatchLimits limits) {
        long tokens = limits.secondMicroBatch().maxNumBatchedTokens();
        long seqs = limits.maxNumSeqs();
        return new long[] {
            (seqs + 1) * 4,
            seqs * 4,
            tokens * 4,
            tokens * 8,
            (seqs + 1) * 4,
            seqs * 4,
            seqs * limits.maxBlocksPerSeq() * 4
        };
    }

    /**
     * Fills both from what the host has written of the whole batch, and enqueues the copy to the
     * device.
     *
     * @param numTokens at least 2
     */
    void fill(BatchInputs whole, int numTokens, int numSeqs, Stream stream) {
        firstTokens = numTokens - numTokens / 2;
        secondTokens = numTokens - firstTokens;
        MemorySegment starts = whole.cuSeqlensQ();
        firstSeqs = 1;
        while (get(starts, firstSeqs) < firstTokens) {
            firstSeqs++;
        }
        int isCut = get(starts, firstSeqs) > firstTokens ? 1 : 0;
        secondSeqs = numSeqs - firstSeqs + isCut;
        fillFirst(whole);
        fillSecond(whole, firstSeqs - isCut);
        mirror.upload(BLOCK_TABLE, (long) secondSeqs * maxBlocksPerSeq * Integer.BYTES, stream);
    }

    private void fillFirst(BatchInputs whole) {
        MemorySegment starts = mirror.host(FIRST_CU_SEQLENS_Q);
        MemorySegment lengths = mirror.host(FIRST_SEQLENS_KV);
        copy(whole.cuSeqlensQ(), 0, starts, firstSeqs, Integer.BYTES);
        put(starts, firstSeqs, firstTokens);
        copy(whole.seqlensKv(), 0, lengths, firstSeqs, Integer.BYTES);
        int left = get(whole.cuSeqlensQ(), firstSeqs) - firstTokens;
        put(lengths, firstSeqs - 1, get(lengths, firstSeqs - 1) - left);
    }

    private void fillSecond(BatchInputs whole, int fromSeq) {
        copy(whole.positions(), firstTokens, mirror.host(POSITIONS), secondTokens, Integer.BYTES);
        copy(whole.slotMapping(), firstTokens, mirror.host(SLOT_MAPPING), secondTokens, Long.BYTES);
        MemorySegment starts = mirror.host(CU_SEQLENS_Q);
        MemorySegment lengths = mirror.host(SEQLENS_KV);
        MemorySegment table = mirror.host(BLOCK_TABLE);
        put(starts, 0, 0);
        for (int i = 0; i < secondSeqs; i++) {
            int seq = fromSeq + i;
            int length = get(whole.seqlensKv(), seq);
            put(starts, i + 1, get(whole.cuSeqlensQ(), seq + 1) - firstTokens);
            put(lengths, i, length);
            MemorySegment.copy(
                    whole.blockTable(),
                    (long) seq * maxBlocksPerSeq * Integer.BYTES,
                    table,
                    (long) i * maxBlocksPerSeq * Integer.BYTES,
                    Math.ceilDiv(length, DecoderState.BLOCK_SIZE) * (long) Integer.BYTES);
        }
    }

    private static void copy(MemorySegment from, int at, MemorySegment to, int count, int bytes) {
        MemorySegment.copy(from, (long) at * bytes, to, 0, (long) count * bytes);
    }

    private static int get(MemorySegment ints, int index) {
        return ints.getAtIndex(ValueLayout.JAVA_INT, index);
    }

    private static void put(MemorySegment ints, int index, int value) {
        ints.setAtIndex(ValueLayout.JAVA_INT, index, value);
    }

    LayerInputs first() {
        return first;
    }

    LayerInputs second() {
        return second;
    }

    int firstTokens() {
        return firstTokens;
    }

    int firstSeqs() {
        return firstSeqs;
    }

    int secondTokens() {
        return secondTokens;
    }

    int secondSeqs() {
        return secondSeqs;
    }

    @Override
    public void close() {
        mirror.close();
    }
}
