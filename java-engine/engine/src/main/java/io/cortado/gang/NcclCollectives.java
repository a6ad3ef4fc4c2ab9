package io.cortado.gang;

import io.cortado.device.Buffer;
import io.cortado.device.DType;
import io.cortado.device.Device;
import io.cortado.device.Event;
import io.cortado.device.Kernels;
import io.cortado.device.Nccl;
import io.cortado.device.NcclAddresses;
import io.cortado.device.NcclComm;
import io.cortado.device.NcclException;
import io.cortado.device.ResourceStack;
import io.cortado.device.Stream;
import io.cortado.gang.GangException.Kind;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Collectives between GPUs by NCCL, one process or thread a GPU. All waits have a deadline: for the
 * other ranks at the start, for NCCL to put work into a stream, and for the work to end there; the
 * deadline must be longer than what a step computes between two collectives.
 *
 * <p>{@link #allReduce} is not {@code ncclAllReduce}, which adds up in an order that depends on the
 * algorithm that NCCL chooses: ranks are gathered and added in their order by this library's own
 * kernel, so the bits are those of every other {@link Collectives}. It moves (size - 1) * count
 * values to each rank instead of about 2 * count: the same for two ranks, four times as many for
 * eight.
 *
 * <p>{@link #allToAll} sends the counts first and then whole strides, since the host, which would
 * have to tell NCCL how much to send, does not know the counts when it enqueues. That a count is at
 * most the stride is the sender's to see to.
 *
 * <p>Never run on a GPU: tested on the simt device against a library that has NCCL's functions. One
 * thread enqueues; {@link #gather} is that thread's too, when nothing is under way. Streams that
 * are captured are refused.
 */
public final class NcclCollectives implements Collectives {
    private static final long POLL_NANOS = 20_000;

    /** NCCL puts work into a stream within some microseconds: to sleep would take longer. */
    private static final long SPIN_NANOS = 200_000;

    private final NcclComm comm;
    private final int rank;
    private final int size;
    private final Device device;
    private final long maxReduce;
    private final long deadlineNanos;
    private final ResourceStack owned = new ResourceStack();
    private final Stream control;
    private final Buffer outgoing;
    private final Buffer incoming;
    private final Buffer addends;
    private final Buffer segment;
    private final NcclWatch watch;
    private final FirstFailure failure = new FirstFailure();
    private boolean isClosed;

    private NcclCollectives(
            NcclComm comm, int rank, int size, Device device, long maxReduce, long deadlineNanos) {
        this.comm = comm;
        this.rank = rank;
        this.size = size;
        this.device = device;
        this.maxReduce = maxReduce;
        this.deadlineNanos = deadlineNanos;
        boolean isBuilt = false;
        try {
            outgoing = own(device.createBuffer((long) size * Long.BYTES));
            incoming = own(device.createBuffer((long) size * Long.BYTES));
            addends = own(device.createBuffer(Math.max(1, size * maxReduce) * Float.BYTES));
            segment = own(device.createBuffer(4L * Integer.BYTES));
            control = device.createStream();
            owned.push(control::close);
            writeSegment();
            watch = new NcclWatch(device, deadlineNanos, this::failure, this::late);
            isBuilt = true;
        } finally {
            if (!isBuilt) {
                owned.close();
            }
        }
    }

    /** All ranks are added up into the first sum, from zero. */
    private void writeSegment() {
        try (Buffer host = device.createHostBuffer(4L * Integer.BYTES)) {
            MemorySegment words = host.host();
            words.setAtIndex(ValueLayout.JAVA_INT, 0, 0);
            words.setAtIndex(ValueLayout.JAVA_INT, 1, size);
            words.setAtIndex(ValueLayout.JAVA_INT, 2, 0);
            words.setAtIndex(ValueLayout.JAVA_INT, 3, 1);
            Kernels.copy(segment, host, 0, 0, words.byteSize(), control);
            control.synchronize();
        }
    }

    /**
     * Waits for the other ranks, which do the same, each on a thread of its own.
     *
     * @param host of the same ranks: the first one makes the id by which NCCL's find each other
     * @param device this rank's GPU
     * @param maxReduce values of the largest {@link #allReduce}: size * maxReduce floats are taken
     * @param deadlineNanos of every wait
     * @throws GangException if ranks do not come in time, have other versions, or NCCL fails
     */
    public static NcclCollectives join(
            Nccl nccl, Collectives host, Device device, long maxReduce, long deadlineNanos) {
        return join(nccl, host, device, maxReduce, deadlineNanos, NcclAddresses.OF_GPU);
    }

    static NcclCollectives join(
            Nccl nccl,
            Collectives host,
            Device device,
            long maxReduce,
            long deadlineNanos,
            NcclAddresses addresses) {
        byte[] id;
        try {
            id = NcclIds.meet(nccl, host);
        } catch (NcclException e) {
            throw transport("rank " + host.rank() + " has no id for the others", e);
        }
        return join(
                nccl, id, host.rank(), host.size(), device, maxReduce, deadlineNanos, addresses);
    }

    static NcclCollectives join(
            Nccl nccl,
            byte[] id,
            int rank,
            int size,
            Device device,
            long maxReduce,
            long deadlineNanos,
            NcclAddresses addresses) {
        if (rank < 0 || rank >= size || maxReduce < 0 || deadlineNanos <= 0) {
            throw new IllegalArgumentException(
                    "rank must be in [0, size), maxReduce not negative, deadlineNanos positive:"
                            + " rank=%d size=%d maxReduce=%d deadlineNanos=%d"
                                    .formatted(rank, size, maxReduce, deadlineNanos));
        }
        device.info(); // makes it this thread's GPU, which NCCL takes
        NcclComm comm;
        try {
            comm = nccl.join(id, rank, size, addresses);
        } catch (NcclException e) {
            throw transport("rank %d of %d cannot join".formatted(rank, size), e);
        }
        boolean isReady = false;
        try {
            awaitTaken(comm, deadlineNanos, "not all of %d ranks came".formatted(size));
            NcclCollectives made =
                    new NcclCollectives(comm, rank, size, device, maxReduce, deadlineNanos);
            isReady = true;
            return made;
        } finally {
            if (!isReady) {
                comm.abort();
            }
        }
    }

    private Buffer own(Buffer buffer) {
        owned.push(buffer::close);
        return buffer;
    }

    @Override
    public int rank() {
        return rank;
    }

    @Override
    public int size() {
        return size;
    }

    @Override
    public void allToAll(
            Buffer receive,
            Buffer receivedBytes,
            Buffer send,
            Buffer sentBytes,
            long stride,
            Stream stream) {
        if (stride < 0 || stride % Long.BYTES != 0) {
            throw new IllegalArgumentException("stride must be a multiple of 8: stride=" + stride);
        }
        long counts = (long) size * Long.BYTES;
        requireRoom("receive", receive, size * stride);
        requireRoom("send", send, size * stride);
        requireRoom("receivedBytes", receivedBytes, counts);
        requireRoom("sentBytes", sentBytes, counts);
        enqueue(
                stream,
                () -> {
                    Kernels.copy(outgoing, sentBytes, 0, 0, counts, stream);
                    exchange(incoming, outgoing, Long.BYTES, stream);
                    Kernels.copy(receivedBytes, incoming, 0, 0, counts, stream);
                    exchange(receive, send, stride, stream);
                });
    }

    /** Part r of each side is rank r's, itself included. */
    private void exchange(Buffer to, Buffer from, long stride, Stream stream) {
        if (stride == 0) {
            return;
        }
        comm.allToAll(to, from, stride, size, stream);
        awaitTaken();
    }

    @Override
    public void allReduce(Buffer values, long count, Stream stream) {
        if (count < 0 || count > maxReduce) {
            throw new IllegalArgumentException(
                    "count must be in [0, %d]: count=%d".formatted(maxReduce, count));
        }
        requireRoom("values", values, count * Float.BYTES);
        if (count == 0) {
            return;
        }
        enqueue(
                stream,
                () -> {
                    comm.allGather(addends, values, count * Float.BYTES, stream);
                    awaitTaken();
                    Kernels.sumRows(
                            values, addends, segment, 1, count, 1, size, count, DType.F32, stream);
                });
    }

    @Override
    public void allGather(Buffer all, Buffer mine, long bytes, Stream stream) {
        if (bytes < 0 || bytes % 4 != 0) {
            throw new IllegalArgumentException("bytes must be a multiple of 4: bytes=" + bytes);
        }
        requireRoom("all", all, size * bytes);
        requireRoom("mine", mine, bytes);
        if (bytes == 0) {
            return;
        }
        enqueue(
                stream,
                () -> {
                    comm.allGather(all, mine, bytes, stream);
                    awaitTaken();
                });
    }

    @Override
    public void gather(long[] all, long[] mine) {
        if (all.length != size * mine.length) {
            throw new IllegalArgumentException(
                    "all must have %d * %d values: length=%d"
                            .formatted(size, mine.length, all.length));
        }
        long bytes = (long) mine.length * Long.BYTES;
        if (bytes == 0) {
            return;
        }
        try (Buffer hostMine = device.createHostBuffer(bytes);
                Buffer deviceMine = device.createBuffer(bytes);
                Buffer deviceAll = device.createBuffer(size * bytes);
                Buffer hostAll = device.createHostBuffer(size * bytes);
                Event done = device.createEvent()) {
            hostMine.host().copyFrom(MemorySegment.ofArray(mine));
            Kernels.copy(deviceMine, hostMine, 0, 0, bytes, control);
            allGather(deviceAll, deviceMine, bytes, control);
            Kernels.copy(hostAll, deviceAll, 0, 0, size * bytes, control);
            done.record(control);
            if (failure.get() == null && !done.await(deadlineNanos / 1_000_000)) {
                late(deadlineNanos / 1_000_000);
            }
            control.synchronize();
            requireWhole();
            MemorySegment.ofArray(all).copyFrom(hostAll.host());
        }
    }

    /** A step of a collective. */
    private interface Work {
        void enqueue();
    }

    private void enqueue(Stream stream, Work work) {
        if (failure.get() != null) {
            return;
        }
        try {
            work.enqueue();
            watch.mark(stream);
        } catch (NcclException e) {
            fail(transport("NCCL failed on rank " + rank, e));
        } catch (GangException e) {
            fail(e);
        }
    }

    private void awaitTaken() {
        awaitTaken(comm, deadlineNanos, "NCCL did not take the work of rank " + rank);
    }

    private static void awaitTaken(NcclComm comm, long deadlineNanos, String what) {
        long start = System.nanoTime();
        try {
            while (comm.isBusy()) {
                if (System.nanoTime() - start > deadlineNanos) {
                    throw new GangException(
                            Kind.DEADLINE,
                            "%s within %d ms".formatted(what, deadlineNanos / 1_000_000));
                }
                if (System.nanoTime() - start < SPIN_NANOS) {
                    Thread.onSpinWait();
                } else {
                    LockSupport.parkNanos(comm, POLL_NANOS);
                }
            }
        } catch (NcclException e) {
            throw transport(what, e);
        }
    }

    private static GangException transport(String what, NcclException why) {
        return new GangException(Kind.TRANSPORT, what + ": " + why.getMessage(), why);
    }

    private static void requireRoom(String name, Buffer buffer, long bytes) {
        if (buffer.bytes() < bytes) {
            throw new IllegalArgumentException(
                    "%s must have %d bytes: bytes=%d".formatted(name, bytes, buffer.bytes()));
        }
    }

    private void requireWhole() {
        GangException why = failure();
        if (why != null) {
            throw why;
        }
    }

    private void late(long ms) {
        fail(
                new GangException(
                        Kind.DEADLINE,
                        "a collective of rank %d has not ended within %d ms".formatted(rank, ms)));
    }

    /** The first one counts. What waits on the GPU ends with the communicator. */
    private void fail(GangException why) {
        failure.setAndThen(
                why,
                () -> {
                    watch.stop();
                    comm.abort();
                });
    }

    @Override
    public void abort(String why) {
        fail(new GangException(Kind.ABORTED, "rank " + rank + " has ended the gang: " + why));
    }

    @Override
    public void onFailure(Consumer<GangException> told) {
        failure.tell(told);
    }

    @Override
    public @Nullable GangException failure() {
        if (failure.get() == null) {
            try {
                comm.isBusy();
            } catch (NcclException e) {
                fail(transport("NCCL failed on rank " + rank, e));
            }
        }
        return failure.get();
    }

    /** After the streams that it was used in have ended. */
    @Override
    public void close() {
        if (isClosed) {
            return;
        }
        isClosed = true;
        watch.close();
        if (failure.get() == null) {
            comm.destroy();
        }
        owned.close();
    }
}
