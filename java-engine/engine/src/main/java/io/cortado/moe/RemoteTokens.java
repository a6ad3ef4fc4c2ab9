package io.cortado.moe;

import io.cortado.device.Buffer;
import io.cortado.device.DType;
import io.cortado.device.Device;
import io.cortado.device.Kernels;
import io.cortado.device.MoeCombineParams;
import io.cortado.device.MoeKernels;
import io.cortado.device.ResourceStack;
import io.cortado.device.Stream;
import io.cortado.gang.Parts;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * A micro-batch's tokens on their way to experts on other ranks and back: each token goes once to a
 * rank that has experts of it, and what an expert makes of it comes back to the token's slot.
 *
 * <p>A part to a rank with experts is int32 layer, int32 micro-batch, int32 tokens, 4 bytes of
 * nothing, int32 ids[tokens][topK] with -1 where another rank computes, rows[tokens][hidden]. What
 * comes back is rows[slots][hidden], in the order of the ids.
 */
final class RemoteTokens implements AutoCloseable {
    static final int HEAD_BYTES = 16;
    static final int NONE = -1;

    private final ResourceStack owned = new ResourceStack();
    private final ExpertLink link;
    private final ExpertShape shape;
    private final int microBatch;
    private final long rowBytes;
    private final MoeCombineParams sums;

    /** In host memory, where the device's own is not. */
    private final @Nullable Buffer rows;

    private final Buffer ids;
    private final Buffer weights;

    /** [tokens * topK][hidden]. */
    private final Buffer slots;

    private final Parts send;
    private final Parts receive;
    private final RowMoves moves;

    /** By slot: the rank with experts that computes it, or NONE. */
    private final int[] owners;

    /** By rank with experts. */
    private final int[] tokensOf;

    private final int[] slotsOf;
    private final int[] lastToken;
    private final long[] cursors;
    private long bytes;

    // What is under way.
    private int layer;
    private int numTokens;
    private MemorySegment x = MemorySegment.NULL;
    private MemorySegment positions = MemorySegment.NULL;

    /**
     * @param microBatch its number
     */
    RemoteTokens(
            Device device,
            ExpertLink link,
            ExpertShape shape,
            DType dtype,
            int microBatch,
            int maxTokens) {
        this.link = link;
        this.shape = shape;
        this.microBatch = microBatch;
        int hidden = shape.hiddenSize();
        int numSlots = Math.multiplyExact(maxTokens, shape.topK());
        int size = link.ranks().size();
        rowBytes = (long) hidden * dtype.bytes();
        sums =
                new MoeCombineParams(device)
                        .cols(hidden)
                        .strides(hidden, hidden, hidden)
                        .experts(shape.numExperts(), shape.topK())
                        .dtypes(dtype, dtype, dtype);
        owners = new int[numSlots];
        tokensOf = new int[link.ranks().experts()];
        slotsOf = new int[tokensOf.length];
        lastToken = new int[tokensOf.length];
        cursors = new long[tokensOf.length];
        long sendBytes = sendBytes(link.ranks(), shape, dtype, maxTokens);
        send = new Parts(link.transport().allocate(sendBytes), size);
        receive = new Parts(Arena.ofAuto().allocate(numSlots * rowBytes, Long.BYTES), size);
        moves = new RowMoves(device, rowBytes, numSlots);
        boolean built = false;
        try {
            boolean isReached = device.hostReachesMemory();
            rows = isReached ? null : create(device, false, maxTokens * rowBytes);
            ids = create(device, isReached, 4L * numSlots);
            weights = create(device, isReached, 4L * numSlots);
            slots = create(device, isReached, numSlots * rowBytes);
            built = true;
        } finally {
            if (!built) {
                owned.close();
            }
        }
    }

    private Buffer create(Device device, boolean onDevice, long size) {
        Buffer made = onDevice ? device.createBuffer(size) : device.createHostBuffer(size);
        owned.push(made::close);
        bytes += onDevice ? made.bytes() : 0;
        return made;
    }

    /** A token goes to no more ranks than it has experts, nor than there are. */
    private static long sendBytes(ExpertRanks ranks, ExpertShape shape, DType dtype, int tokens) {
        long perToken = 4L * shape.topK() + (long) shape.hiddenSize() * dtype.bytes();
        long parts = Math.min(shape.topK(), ranks.experts());
        return tokens * parts * perToken + ranks.experts() * 2L * HEAD_BYTES;
    }

    /** On the device, before anything is made. */
    static long deviceBytes(Device device, ExpertShape shape, DType dtype, int maxTokens) {
        long numSlots = (long) maxTokens * shape.topK();
        return device.hostReachesMemory()
                ? numSlots * (8 + (long) shape.hiddenSize() * dtype.bytes())
                : 0;
    }

    /** What was made of it. */
    long bytes() {
        return bytes;
    }

    /** Where the device's routing writes its choices: int32[tokens][topK]. */
    Buffer ids() {
        return ids;
    }

    /** The same of their weights, float32. */
    Buffer weights() {
        return weights;
    }

    /** Enqueues what brings rows to where the host reads them: gives them. */
    MemorySegment fetch(Buffer from, int count, Stream stream) {
        if (rows == null) {
            return from.host();
        }
        Kernels.copy(rows, from, 0, 0, count * rowBytes, stream);
        return rows.host();
    }

    /** Enqueues: out = the weighted sums of what has come back, and what shared experts add. */
    void combine(
            Buffer out,
            @Nullable Buffer shared,
            @Nullable Buffer sharedGate,
            int count,
            Stream stream) {
        MoeKernels.combine(
                out, slots, ids, weights, null, shared, sharedGate, sums.numTokens(count), stream);
    }

    /**
     * What is to be exchanged next; its rows and choices are there, and stay until it is.
     *
     * @param positions int32[count]
     */
    void describe(int ofLayer, int count, MemorySegment from, MemorySegment positions) {
        layer = ofLayer;
        numTokens = count;
        x = from;
        this.positions = positions;
    }

    /**
     * Brings the tokens to their experts and the results back: gives the nanoseconds in which it
     * waited for others.
     *
     * @param nothing parts of one side where the other has some
     */
    long exchange(Parts nothing) {
        choose();
        pack();
        long start = System.nanoTime();
        link.transport().exchange(ExpertLink.DISPATCH, send, nothing, link.deadlineNanos());
        long at = 0;
        for (int rank = 0; rank < slotsOf.length; rank++) {
            long expected = slotsOf[rank] * rowBytes;
            receive.set(link.ranks().gangRank(rank), at, expected);
            cursors[rank] = at;
            at += expected;
        }
        link.transport().exchange(ExpertLink.RESULT, nothing, receive, link.deadlineNanos());
        long waited = System.nanoTime() - start;
        requireAll();
        unpack();
        return waited;
    }

    /** Which rank computes each slot. */
    private void choose() {
        ExpertPlacement placement = link.placements().get(layer);
        MemorySegment chosen = ids.host();
        int topK = shape.topK();
        Arrays.fill(tokensOf, 0);
        Arrays.fill(slotsOf, 0);
        Arrays.fill(lastToken, NONE);
        for (int token = 0; token < numTokens; token++) {
            int position = positions.getAtIndex(ValueLayout.JAVA_INT, token);
            for (int slot = token * topK; slot < (token + 1) * topK; slot++) {
                int id = chosen.getAtIndex(ValueLayout.JAVA_INT, slot);
                if (id < 0 || id >= shape.numExperts()) {
                    owners[slot] = NONE;
                    continue;
                }
                int rank = placement.rankOf(id, position, layer);
                owners[slot] = rank;
                slotsOf[rank]++;
                if (lastToken[rank] != token) {
                    lastToken[rank] = token;
                    tokensOf[rank]++;
                }
            }
        }
    }

    private void pack() {
        MemorySegment to = send.memory();
        int topK = shape.topK();
        long at = 0;
        for (int rank = 0; rank < tokensOf.length; rank++) {
            long size = HEAD_BYTES + tokensOf[rank] * (4L * topK + rowBytes);
            int of = link.ranks().gangRank(rank);
            send.set(of, at, size);
            send.fill(of, size);
            to.set(ValueLayout.JAVA_INT, at, layer);
            to.set(ValueLayout.JAVA_INT, at + Integer.BYTES, microBatch);
            to.set(ValueLayout.JAVA_INT, at + 2L * Integer.BYTES, tokensOf[rank]);
            cursors[rank] = 0;
            lastToken[rank] = NONE;
            at = Math.ceilDiv(at + size, (long) HEAD_BYTES) * HEAD_BYTES;
        }
        for (int token = 0; token < numTokens; token++) {
            for (int j = 0; j < topK; j++) {
                int rank = owners[token * topK + j];
                if (rank != NONE && lastToken[rank] != token) {
                    lastToken[rank] = token;
                    pack(token, rank);
                }
            }
        }
        moves.copy(to, x);
    }

    private void pack(int token, int rank) {
        MemorySegment to = send.memory();
        int topK = shape.topK();
        long row = cursors[rank]++;
        long start = send.offset(link.ranks().gangRank(rank)) + HEAD_BYTES;
        long idsAt = start + row * topK * Integer.BYTES;
        for (int j = 0; j < topK; j++) {
            int slot = token * topK + j;
            int id =
                    owners[slot] == rank ? ids.host().getAtIndex(ValueLayout.JAVA_INT, slot) : NONE;
            to.set(ValueLayout.JAVA_INT, idsAt + (long) j * Integer.BYTES, id);
        }
        long rowAt = start + (long) tokensOf[rank] * topK * Integer.BYTES + row * rowBytes;
        moves.add(rowAt, token * rowBytes);
    }

    private void requireAll() {
        for (int rank = 0; rank < slotsOf.length; rank++) {
            int of = link.ranks().gangRank(rank);
            if (receive.bytes(of) != receive.capacity(of)) {
                throw new IllegalStateException(
                        "rank %d was to send rows=%d and sent bytes=%d of %d a row"
                                .formatted(of, slotsOf[rank], receive.bytes(of), rowBytes));
            }
        }
    }

    private void unpack() {
        int end = numTokens * shape.topK();
        for (int slot = 0; slot < end; slot++) {
            int rank = owners[slot];
            if (rank != NONE) {
                moves.add(slot * rowBytes, cursors[rank]);
                cursors[rank] += rowBytes;
            }
        }
        moves.copy(slots.host(), receive.memory());
    }

    @Override
    public void close() {
        owned.close();
    }
}
