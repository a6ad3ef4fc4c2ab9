package io.cortado.moe;

import io.cortado.device.Buffer;
import io.cortado.device.DType;
import io.cortado.device.Device;
import io.cortado.device.HostQueue;
import io.cortado.device.Kernels;
import io.cortado.device.MoeCombineParams;
import io.cortado.device.MoeKernels;
import io.cortado.device.ResourceStack;
import io.cortado.device.Stream;
import io.cortado.gang.GangException;
import io.cortado.gang.Parts;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Experts on other ranks, as a rank with attention sees them. A layer's tokens go to the ranks that
 * have their experts, each token once to a rank; what an expert makes of it comes back to the
 * token's slot, and the slots are summed here in their order, in float32: the bits are those of one
 * rank, wherever experts are.
 *
 * <p>A part to a rank with experts is int32 layer, int32 tokens, 8 bytes of nothing, int32
 * ids[tokens][topK] with -1 where another rank computes, rows[tokens][hidden]. What comes back is
 * rows[slots][hidden], in the order of the ids.
 */
final class RemoteExperts implements AutoCloseable {
    static final int HEAD_BYTES = 16;
    static final int NONE = -1;

    private static final int TICK = -1;
    private static final int IDLE = -2;
    private static final int STEPS_UNDER_WAY = 3;

    private final ResourceStack owned = new ResourceStack();
    private final ExpertLink link;
    private final ExpertShape shape;
    private final long rowBytes;
    private final MoeCombineParams sums;
    private final HostQueue<Call> queue;

    /** In host memory, where the device's own is not. */
    private final @Nullable Buffer rows;

    private final Buffer ids;
    private final Buffer weights;

    /** [tokens * topK][hidden]. */
    private final Buffer slots;

    private final Parts send;
    private final Parts receive;

    /** Of an exchange without tokens of this rank. */
    private final Parts nothing;

    /** By slot: the rank with experts that computes it, or NONE. */
    private final int[] owners;

    /** By rank with experts. */
    private final int[] tokensOf;

    private final int[] slotsOf;
    private final int[] lastToken;
    private final long[] cursors;
    private long bytes;

    /** A call in a stream: of a layer, or of a tick. */
    private static final class Call {
        private int layer;
        private int numTokens;
        private MemorySegment x = MemorySegment.NULL;
        private MemorySegment positions = MemorySegment.NULL;
    }

    RemoteExperts(Device device, ExpertLink link, ExpertShape shape, DType dtype, int maxTokens) {
        this.link = link;
        this.shape = shape;
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
        send = new Parts(host(sendBytes(link.ranks(), shape, dtype, maxTokens)), size);
        receive = new Parts(host(numSlots * rowBytes), size);
        nothing = new Parts(host(0), size);
        boolean built = false;
        try {
            new ExpertHello(link.ranks(), shape, dtype, link.placements(), maxTokens)
                    .exchange(link.transport(), link.startNanos());
            boolean isReached = device.hostReachesMemory();
            rows = isReached ? null : create(device, false, maxTokens * rowBytes);
            ids = create(device, isReached, 4L * numSlots);
            weights = create(device, isReached, 4L * numSlots);
            slots = create(device, isReached, numSlots * rowBytes);
            int calls = STEPS_UNDER_WAY * (link.numLayers() + 1);
            queue = new HostQueue<>(calls, Call::new, this::run);
            owned.push(queue::close);
            built = true;
        } finally {
            if (!built) {
                owned.close();
            }
        }
    }

    private static MemorySegment host(long bytes) {
        return Arena.ofAuto().allocate(bytes, Long.BYTES);
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

    /** Enqueues: a pass of this rank begins. */
    void begin(Stream stream) {
        enqueueTick(TICK, stream);
    }

    /** Enqueues: this rank has nothing to do, and takes part in what others have. */
    void idle(Stream stream) {
        enqueueTick(IDLE, stream);
    }

    private void enqueueTick(int kind, Stream stream) {
        queue.next().layer = kind;
        queue.enqueue(stream);
    }

    /**
     * Enqueues; arguments as {@link ExpertProducts#enqueue}.
     *
     * @param layer counted among those with experts
     * @param positions int32[tokens], in host memory
     */
    void enqueue(
            Buffer out,
            Buffer x,
            int layer,
            @Nullable Buffer shared,
            @Nullable Buffer sharedGate,
            MemorySegment positions,
            int numTokens,
            Stream stream) {
        Buffer from = x;
        if (rows != null) {
            Kernels.copy(rows, x, 0, 0, numTokens * rowBytes, stream);
            from = rows;
        }
        Call call = queue.next();
        call.layer = layer;
        call.numTokens = numTokens;
        call.x = from.host();
        call.positions = positions;
        queue.enqueue(stream);
        MoeKernels.combine(
                out,
                slots,
                ids,
                weights,
                null,
                shared,
                sharedGate,
                sums.numTokens(numTokens),
                stream);
    }

    /** Called by the stream; after a failure nothing is done any more. */
    private void run(Call call) {
        if (link.failure() != null) {
            return;
        }
        try {
            switch (call.layer) {
                case TICK -> begun(link.tick(ExpertLink.PASS));
                case IDLE -> takePart();
                default -> compute(call);
            }
        } catch (RuntimeException | Error e) {
            link.fail(e);
        }
    }

    private static void begun(ExpertLink.Turn turn) {
        if (turn == ExpertLink.Turn.STOP) {
            throw stopped();
        }
    }

    private static RuntimeException stopped() {
        return new GangException(
                GangException.Kind.ABORTED, "another rank with attention has ended");
    }

    /** All exchanges of a pass of others. */
    private void takePart() {
        ExpertLink.Turn turn = link.tick(ExpertLink.IDLE);
        begun(turn);
        if (turn == ExpertLink.Turn.PASS) {
            for (int layer = 0; layer < link.numLayers(); layer++) {
                link.transport().exchange(ExpertLink.DISPATCH, nothing, nothing, patience());
                link.transport().exchange(ExpertLink.RESULT, nothing, nothing, patience());
            }
        }
    }

    private long patience() {
        return link.deadlineNanos();
    }

    private void compute(Call call) {
        choose(call);
        pack(call);
        link.transport().exchange(ExpertLink.DISPATCH, send, nothing, patience());
        long at = 0;
        for (int rank = 0; rank < slotsOf.length; rank++) {
            long expected = slotsOf[rank] * rowBytes;
            receive.set(link.ranks().gangRank(rank), at, expected);
            cursors[rank] = at;
            at += expected;
        }
        link.transport().exchange(ExpertLink.RESULT, nothing, receive, patience());
        requireAll();
        unpack(call.numTokens);
    }

    /** Which rank computes each slot. */
    private void choose(Call call) {
        ExpertPlacement placement = link.placements().get(call.layer);
        MemorySegment chosen = ids.host();
        int topK = shape.topK();
        Arrays.fill(tokensOf, 0);
        Arrays.fill(slotsOf, 0);
        Arrays.fill(lastToken, NONE);
        for (int token = 0; token < call.numTokens; token++) {
            int position = call.positions.getAtIndex(ValueLayout.JAVA_INT, token);
            for (int slot = token * topK; slot < (token + 1) * topK; slot++) {
                int id = chosen.getAtIndex(ValueLayout.JAVA_INT, slot);
                if (id < 0 || id >= shape.numExperts()) {
                    owners[slot] = NONE;
                    continue;
                }
                int rank = placement.rankOf(id, position, call.layer);
                owners[slot] = rank;
                slotsOf[rank]++;
                if (lastToken[rank] != token) {
                    lastToken[rank] = token;
                    tokensOf[rank]++;
                }
            }
        }
    }

    private void pack(Call call) {
        MemorySegment to = send.memory();
        int topK = shape.topK();
        long at = 0;
        for (int rank = 0; rank < tokensOf.length; rank++) {
            long size = HEAD_BYTES + tokensOf[rank] * (4L * topK + rowBytes);
            int of = link.ranks().gangRank(rank);
            send.set(of, at, size);
            send.fill(of, size);
            to.set(ValueLayout.JAVA_INT, at, call.layer);
            to.set(ValueLayout.JAVA_INT, at + Integer.BYTES, tokensOf[rank]);
            cursors[rank] = 0;
            lastToken[rank] = NONE;
            at = Math.ceilDiv(at + size, (long) HEAD_BYTES) * HEAD_BYTES;
        }
        for (int token = 0; token < call.numTokens; token++) {
            for (int j = 0; j < topK; j++) {
                int rank = owners[token * topK + j];
                if (rank != NONE && lastToken[rank] != token) {
                    lastToken[rank] = token;
                    pack(call, token, rank);
                }
            }
        }
    }

    private void pack(Call call, int token, int rank) {
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
        MemorySegment.copy(call.x, token * rowBytes, to, rowAt, rowBytes);
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

    private void unpack(int numTokens) {
        MemorySegment to = slots.host();
        int end = numTokens * shape.topK();
        for (int slot = 0; slot < end; slot++) {
            int rank = owners[slot];
            if (rank != NONE) {
                MemorySegment.copy(receive.memory(), cursors[rank], to, slot * rowBytes, rowBytes);
                cursors[rank] += rowBytes;
            }
        }
    }

    /** After the streams have run: tells the others, where nothing has failed. */
    @Override
    public void close() {
        try {
            if (link.failure() == null) {
                link.tick(ExpertLink.STOP);
            }
        } catch (RuntimeException e) {
            link.fail(e);
        }
        owned.close();
    }
}
