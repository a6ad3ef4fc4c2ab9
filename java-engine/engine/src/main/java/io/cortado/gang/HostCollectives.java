package io.cortado.gang;

import io.cortado.device.Buffer;
import io.cortado.device.HostQueue;
import io.cortado.device.Stream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Collectives of buffers that the host reaches, over a transport in host memory: a stream calls the
 * host, which exchanges. Of a device that computes elsewhere these are its host buffers.
 *
 * <p>One thread enqueues, and all on one stream; {@link #gather} is that thread's as well, and not
 * while something that was enqueued may still exchange.
 */
public final class HostCollectives implements Collectives {
    /** Kinds of exchanges: what does not match between ranks is told and not mixed up. */
    private static final int ALL_TO_ALL = 1;

    private static final int ALL_GATHER = 2;
    private static final int REDUCE_ALL = 3;
    private static final int REDUCE_PART = 4;
    private static final int REDUCED = 5;
    private static final int GATHER = 6;

    /** Enqueued and not run. */
    private static final int MAX_UNDER_WAY = 4096;

    /** Above it ranks add up a part each. */
    private static final long WHOLE_FLOATS = 1 << 14;

    private final Transport transport;
    private final long deadlineNanos;
    private final HostQueue<Operation> queue =
            new HostQueue<>(MAX_UNDER_WAY, Operation::new, this::run);
    private final FirstFailure failure = new FirstFailure();

    /** Of the one exchange that runs. */
    private final Parts send;

    private final Parts receive;
    private final Scratch scratch = new Scratch();
    private final Scratch gathered = new Scratch();

    /**
     * @param transport closed by {@link #close}
     * @param deadlineNanos of every wait for another rank
     */
    public HostCollectives(Transport transport, long deadlineNanos) {
        this.transport = transport;
        this.deadlineNanos = deadlineNanos;
        send = new Parts(MemorySegment.NULL, transport.size());
        receive = new Parts(MemorySegment.NULL, transport.size());
    }

    /** What was enqueued, until it has run. */
    private static final class Operation {
        int kind;
        MemorySegment to = MemorySegment.NULL;
        MemorySegment toBytes = MemorySegment.NULL;
        MemorySegment from = MemorySegment.NULL;
        MemorySegment fromBytes = MemorySegment.NULL;
        long amount;
    }

    /** Memory that grows. */
    private static final class Scratch {
        private MemorySegment memory = MemorySegment.NULL;

        MemorySegment of(long bytes) {
            if (bytes > memory.byteSize()) {
                memory = Arena.ofAuto().allocate(bytes, ValueLayout.JAVA_LONG.byteAlignment());
            }
            return memory;
        }
    }

    @Override
    public int rank() {
        return transport.rank();
    }

    @Override
    public int size() {
        return transport.size();
    }

    @Override
    public void allToAll(
            Buffer receive,
            Buffer receivedBytes,
            Buffer send,
            Buffer sentBytes,
            long stride,
            Stream stream) {
        Operation next = next(ALL_TO_ALL, stride);
        next.to = receive.host();
        next.toBytes = receivedBytes.host();
        next.from = send.host();
        next.fromBytes = sentBytes.host();
        queue.enqueue(stream);
    }

    @Override
    public void allReduce(Buffer values, long count, Stream stream) {
        Operation next = next(REDUCE_ALL, count);
        next.to = values.host();
        queue.enqueue(stream);
    }

    @Override
    public void allGather(Buffer all, Buffer mine, long bytes, Stream stream) {
        Operation next = next(ALL_GATHER, bytes);
        next.to = all.host();
        next.from = mine.host();
        queue.enqueue(stream);
    }

    private Operation next(int kind, long amount) {
        Operation next = queue.next();
        next.kind = kind;
        next.amount = amount;
        return next;
    }

    /** Called by the stream. */
    private void run(Operation next) {
        try {
            if (failure() == null) {
                exchange(next);
            }
        } catch (GangException e) {
            failure.set(e);
        } catch (RuntimeException | Error e) {
            fail(e);
        }
    }

    private void exchange(Operation next) {
        switch (next.kind) {
            case ALL_TO_ALL -> allToAll(next);
            case REDUCE_ALL -> reduce(next.to, next.amount);
            default -> gather(ALL_GATHER, next.to, next.from, next.amount);
        }
    }

    /** A fault of this rank's own: the others are told. */
    private void fail(Throwable fault) {
        GangException why =
                new GangException(
                        GangException.Kind.TRANSPORT, "an exchange has failed: " + fault, fault);
        transport.abort(String.valueOf(why.getMessage()));
        failure.set(why);
    }

    private void allToAll(Operation next) {
        long stride = next.amount;
        send.moveTo(next.from);
        receive.moveTo(next.to);
        for (int rank = 0; rank < size(); rank++) {
            send.set(rank, rank * stride, stride);
            send.fill(rank, next.fromBytes.getAtIndex(ValueLayout.JAVA_LONG, rank));
            receive.set(rank, rank * stride, stride);
        }
        transport.exchange(ALL_TO_ALL, send, receive, deadlineNanos);
        for (int rank = 0; rank < size(); rank++) {
            next.toBytes.setAtIndex(ValueLayout.JAVA_LONG, rank, receive.bytes(rank));
        }
    }

    private void gather(int kind, MemorySegment all, MemorySegment mine, long bytes) {
        send.moveTo(mine);
        receive.moveTo(all);
        for (int rank = 0; rank < size(); rank++) {
            send.set(rank, 0, bytes);
            send.fill(rank, bytes);
            receive.set(rank, rank * bytes, bytes);
        }
        exchangeWhole(kind, bytes);
    }

    /** An exchange whose parts have one size on all ranks. */
    private void exchangeWhole(int kind, long bytes) {
        transport.exchange(kind, send, receive, deadlineNanos);
        for (int rank = 0; rank < size(); rank++) {
            if (receive.bytes(rank) != receive.capacity(rank)) {
                GangException why =
                        new GangException(
                                GangException.Kind.MISMATCH,
                                "rank %d sent bytes=%d, this rank sends bytes=%d"
                                        .formatted(rank, receive.bytes(rank), bytes));
                transport.abort(String.valueOf(why.getMessage()));
                throw why;
            }
        }
    }

    private void reduce(MemorySegment values, long count) {
        if (size() == 1) {
            return;
        }
        if (size() == 2 || count <= WHOLE_FLOATS) {
            MemorySegment all = scratch.of(size() * count * Float.BYTES);
            gather(REDUCE_ALL, all, values, count * Float.BYTES);
            sum(values, 0, all, count, count);
        } else {
            reduceParts(values, count);
        }
    }

    /** Each rank adds up a part, and tells it: the sums are the same, to the bit. */
    private void reduceParts(MemorySegment values, long count) {
        long most = Math.ceilDiv(count, size());
        long mine = length(rank(), most, count);
        MemorySegment all = scratch.of(size() * most * Float.BYTES);
        send.moveTo(values);
        receive.moveTo(all);
        for (int rank = 0; rank < size(); rank++) {
            long length = length(rank, most, count) * Float.BYTES;
            send.set(rank, start(rank, most, count) * Float.BYTES, length);
            send.fill(rank, length);
            receive.set(rank, rank * mine * Float.BYTES, mine * Float.BYTES);
        }
        exchangeWhole(REDUCE_PART, mine * Float.BYTES);
        MemorySegment part = gathered.of(most * Float.BYTES);
        sum(part, 0, all, mine, mine);
        send.moveTo(part);
        receive.moveTo(values);
        for (int rank = 0; rank < size(); rank++) {
            send.set(rank, 0, mine * Float.BYTES);
            send.fill(rank, mine * Float.BYTES);
            receive.set(
                    rank,
                    start(rank, most, count) * Float.BYTES,
                    length(rank, most, count) * Float.BYTES);
        }
        exchangeWhole(REDUCED, mine * Float.BYTES);
    }

    private static long start(int rank, long most, long count) {
        return Math.min(rank * most, count);
    }

    private static long length(int rank, long most, long count) {
        return start(rank + 1, most, count) - start(rank, most, count);
    }

    /** to[i] = the ranks' i-th values, added in the order of the ranks. */
    private void sum(MemorySegment to, long at, MemorySegment all, long stride, long count) {
        for (long i = 0; i < count; i++) {
            float sum = all.getAtIndex(ValueLayout.JAVA_FLOAT, i);
            for (int rank = 1; rank < size(); rank++) {
                sum += all.getAtIndex(ValueLayout.JAVA_FLOAT, rank * stride + i);
            }
            to.setAtIndex(ValueLayout.JAVA_FLOAT, at + i, sum);
        }
    }

    @Override
    public void gather(long[] all, long[] mine) {
        GangException why = failure();
        if (why != null) {
            throw new GangException(why.kind(), String.valueOf(why.getMessage()), why);
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment from = arena.allocateFrom(ValueLayout.JAVA_LONG, mine);
            MemorySegment to = arena.allocate(from.byteSize() * size(), Long.BYTES);
            gather(GATHER, to, from, from.byteSize());
            MemorySegment.copy(to, ValueLayout.JAVA_LONG, 0, all, 0, mine.length * size());
        } catch (GangException e) {
            failure.set(e);
            throw e;
        }
    }

    @Override
    public void abort(String why) {
        GangException ended = new GangException(GangException.Kind.ABORTED, why);
        boolean isTold = failure.setAndThen(ended, () -> transport.abort(why));
        if (!isTold) {
            transport.abort(why); // what this rank has noticed the others may not have
        }
    }

    @Override
    public void onFailure(Consumer<GangException> told) {
        failure.tell(told);
    }

    @Override
    public @Nullable GangException failure() {
        return failure.get();
    }

    /** The streams that it was used with have run, or their gang has failed. */
    @Override
    public void close() {
        transport.close();
        queue.close();
    }
}
