package io.cortado.moe;

import io.cortado.device.Buffer;
import io.cortado.device.DType;
import io.cortado.device.Device;
import io.cortado.device.Kernels;
import io.cortado.device.ResourceStack;
import io.cortado.device.Stream;
import io.cortado.gang.ExchangeSteps;
import io.cortado.gang.GangException;
import io.cortado.gang.Parts;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A rank with experts: computes, layer by layer, what the ranks with attention send, until they end
 * or the gang fails. One thread at a time runs it.
 */
public final class ExpertWorker implements ExchangeSteps, AutoCloseable {
    private final ResourceStack owned = new ResourceStack();
    private final ExpertLink link;
    private final ExpertShape shape;
    private final ExpertTable table;
    private final long rowBytes;
    private final ExpertProducts products;
    private final Stream stream;
    private final boolean isReached;

    /** As the host sees it, and as the device does: the same where the host reaches the device. */
    private final Buffer hostRows;

    private final Buffer rows;
    private final Buffer hostIds;
    private final Buffer ids;
    private final Buffer hostSlots;
    private final Parts results;
    private final Parts receive;
    private final Parts nothing;
    private final RowMoves moves;

    /** Where the rows of a rank with attention begin; one more: how many there are. */
    private final int[] starts;

    // The exchange that comes next, or is under way.
    private int kind;
    private int layer;
    private int microBatch;
    private long beganNanos;

    /** Of the placement whose tables are used. */
    private long number;

    /**
     * Waits until all ranks have told what they are.
     *
     * @param table the matrices that this rank has
     * @throws GangException if ranks disagree, or one does not come
     */
    public ExpertWorker(
            Device device, ExpertLink link, ExpertShape shape, DType dtype, ExpertTable table) {
        this.link = link;
        this.shape = shape;
        this.table = table;
        number = link.number();
        int attention = link.ranks().attention();
        int size = link.ranks().size();
        rowBytes = (long) shape.hiddenSize() * dtype.bytes();
        starts = new int[attention + 1];
        isReached = device.hostReachesMemory();
        int perRank =
                new ExpertHello(link, shape, dtype, 0)
                        .exchange(link.transport(), link.startNanos());
        int maxTokens = Math.multiplyExact(perRank, attention);
        long numSlots = (long) maxTokens * shape.topK();
        boolean built = false;
        try {
            products = new ExpertProducts(device, shape, dtype, dtype, table.layers(), maxTokens);
            owned.push(products::close);
            rows = own(device.createBuffer(maxTokens * rowBytes));
            ids = own(device.createBuffer(numSlots * Integer.BYTES));
            hostRows = isReached ? rows : own(device.createHostBuffer(rows.bytes()));
            hostIds = isReached ? ids : own(device.createHostBuffer(ids.bytes()));
            hostSlots =
                    isReached
                            ? products.slots()
                            : own(device.createHostBuffer(products.slots().bytes()));
            long part =
                    RemoteTokens.HEAD_BYTES
                            + perRank * (shape.topK() * (long) Integer.BYTES + rowBytes);
            long stride = Math.ceilDiv(part, 16L) * 16;
            receive = new Parts(Arena.ofAuto().allocate(stride * attention, Long.BYTES), size);
            for (int rank = 0; rank < attention; rank++) {
                receive.set(rank, rank * stride, stride);
            }
            results = new Parts(link.transport().allocate(numSlots * rowBytes), size);
            nothing = new Parts(MemorySegment.NULL, size);
            moves = new RowMoves(device, rowBytes, numSlots);
            stream = device.createImmediateStream();
            owned.push(stream::close);
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

    /**
     * Serves until a rank with attention ends.
     *
     * @throws GangException if the gang fails
     */
    public void run() {
        try {
            tick();
            link.transport().serve(this, link.deadlineNanos());
        } catch (RuntimeException | Error e) {
            link.fail(e);
            GangException why = Objects.requireNonNull(link.failure());
            throw new GangException(why.kind(), String.valueOf(why.getMessage()), e);
        }
    }

    @Override
    public int kind() {
        return kind;
    }

    @Override
    public Parts send() {
        return switch (kind) {
            case ExpertLink.TICK -> link.said();
            case ExpertLink.RESULT -> results;
            default -> nothing;
        };
    }

    @Override
    public Parts receive() {
        return switch (kind) {
            case ExpertLink.TICK -> link.hears();
            case ExpertLink.DISPATCH -> receive;
            default -> nothing;
        };
    }

    @Override
    public boolean computesOnCaller() {
        return isReached;
    }

    @Override
    public boolean next() {
        link.waitedSince(beganNanos);
        boolean goesOn =
                switch (kind) {
                    case ExpertLink.TICK -> heard();
                    case ExpertLink.DISPATCH -> compute();
                    default -> answered();
                };
        beganNanos = System.nanoTime();
        return goesOn;
    }

    private void tick() {
        link.say(ExpertLink.IDLE, 0);
        kind = ExpertLink.TICK;
        beganNanos = System.nanoTime();
    }

    private boolean heard() {
        ExpertLink.Turn turn = link.heard();
        if (turn == ExpertLink.Turn.STOP) {
            return false;
        }
        if (link.number() != number) {
            number = link.number();
            table.enter(number);
        }
        prepare();
        layer = 0;
        microBatch = 0;
        if (turn == ExpertLink.Turn.PASS && link.numLayers() > 0) {
            kind = ExpertLink.DISPATCH;
        } else {
            tick();
        }
        return true;
    }

    /** A placement is coming: its experts are fetched meanwhile. */
    private void prepare() {
        ExpertLink.Proposal coming = link.coming();
        if (coming != null) {
            int rank = link.ranks().expertRank(link.transport().rank());
            table.prepare(coming.number(), coming.placements(), rank, link::readyFor, link::fail);
        }
    }

    private boolean compute() {
        int numTokens = unpack(layer, microBatch);
        @Nullable ExpertMatrices matrices = table.layer(layer);
        if (numTokens > 0) {
            compute(Objects.requireNonNull(matrices), numTokens);
        }
        pack();
        kind = ExpertLink.RESULT;
        return true;
    }

    private boolean answered() {
        microBatch++;
        if (microBatch == link.microBatchesOfPass()) {
            microBatch = 0;
            layer++;
        }
        if (layer < link.numLayers()) {
            kind = ExpertLink.DISPATCH;
        } else {
            tick();
        }
        return true;
    }

    private void compute(ExpertMatrices matrices, int numTokens) {
        long idBytes = (long) numTokens * shape.topK() * Integer.BYTES;
        if (!isReached) {
            Kernels.copy(rows, hostRows, 0, 0, numTokens * rowBytes, stream);
            Kernels.copy(ids, hostIds, 0, 0, idBytes, stream);
        }
        products.compute(rows, ids, matrices, numTokens, stream);
        if (!isReached) {
            long slotBytes = (long) numTokens * shape.topK() * rowBytes;
            Kernels.copy(hostSlots, products.slots(), 0, 0, slotBytes, stream);
        }
        stream.synchronize();
    }

    /** Brings the ranks' tokens together. */
    private int unpack(int layer, int microBatch) {
        MemorySegment from = receive.memory();
        int attention = starts.length - 1;
        int total = 0;
        for (int rank = 0; rank < attention; rank++) {
            starts[rank] = total;
            if (receive.bytes(rank) > 0) {
                total += unpack(from, rank, layer, microBatch, total);
            }
        }
        starts[attention] = total;
        moves.copy(hostRows.host(), from);
        return total;
    }

    private int unpack(MemorySegment from, int rank, int layer, int microBatch, int start) {
        long at = receive.offset(rank);
        int theirs = from.get(ValueLayout.JAVA_INT, at);
        int ofTheirs = from.get(ValueLayout.JAVA_INT, at + Integer.BYTES);
        int count = from.get(ValueLayout.JAVA_INT, at + 2L * Integer.BYTES);
        long idBytes = (long) shape.topK() * Integer.BYTES;
        long expected = RemoteTokens.HEAD_BYTES + count * (idBytes + rowBytes);
        boolean isNext = theirs == layer && ofTheirs == microBatch;
        if (!isNext || count < 0 || receive.bytes(rank) != expected) {
            throw new GangException(
                    GangException.Kind.MISMATCH,
                    "rank %d sent layer=%d micro-batch=%d tokens=%d bytes=%d, expected layer=%d micro-batch=%d bytes=%d"
                            .formatted(
                                    rank,
                                    theirs,
                                    ofTheirs,
                                    count,
                                    receive.bytes(rank),
                                    layer,
                                    microBatch,
                                    expected));
        }
        long idsAt = at + RemoteTokens.HEAD_BYTES;
        requireHere(from, idsAt, rank, layer, count * shape.topK());
        MemorySegment.copy(from, idsAt, hostIds.host(), start * idBytes, count * idBytes);
        for (int row = 0; row < count; row++) {
            moves.add((start + row) * rowBytes, idsAt + count * idBytes + row * rowBytes);
        }
        return count;
    }

    private void requireHere(MemorySegment from, long at, int rank, int layer, int count) {
        @Nullable ExpertMatrices matrices = table.layer(layer);
        for (int i = 0; i < count; i++) {
            int id = from.get(ValueLayout.JAVA_INT, at + (long) i * Integer.BYTES);
            boolean isHere =
                    id >= 0
                            && id < shape.numExperts()
                            && matrices != null
                            && matrices.weights().isPresent(id);
            if (id != RemoteTokens.NONE && !isHere) {
                throw new GangException(
                        GangException.Kind.MISMATCH,
                        "rank %d asks for an expert that is not here: layer=%d expert=%d"
                                .formatted(rank, layer, id));
            }
        }
    }

    /** Each rank's rows, in the order of its ids. */
    private void pack() {
        MemorySegment chosen = hostIds.host();
        long at = 0;
        for (int rank = 0; rank < starts.length - 1; rank++) {
            long start = at;
            int end = starts[rank + 1] * shape.topK();
            for (int slot = starts[rank] * shape.topK(); slot < end; slot++) {
                if (chosen.getAtIndex(ValueLayout.JAVA_INT, slot) != RemoteTokens.NONE) {
                    moves.add(at, slot * rowBytes);
                    at += rowBytes;
                }
            }
            results.set(rank, start, at - start);
            results.fill(rank, at - start);
        }
        moves.copy(results.memory(), hostSlots.host());
    }

    @Override
    public void close() {
        owned.close();
    }
}
