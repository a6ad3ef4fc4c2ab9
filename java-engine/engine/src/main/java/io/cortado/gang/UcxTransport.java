package io.cortado.gang;

import io.cortado.device.NativeException;
import io.cortado.device.UcxWorker;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Ranks in processes of their own, over UCX: shared memory within a machine, TCP or InfiniBand
 * between machines, as UCX and its variable {@code UCX_TLS} choose. Memory of parts lies outside
 * the heap. Needs {@code libucp.so.0}.
 *
 * <p>Between processes of one host and user parts go through memory that both have mapped, 2 MiB
 * for each peer, and those in memory of {@link #allocate} are copied once, by their receiver;
 * unless {@code UCX_TLS} leaves {@code posix} out.
 */
public final class UcxTransport implements Transport {
    /** Looks in vain before a rank that waits yields its core. */
    public static final int DEFAULT_SPINS = 200;

    private final UcxWorker worker;
    private final int rank;

    /** Of what peers read. */
    private final Arena lent = Arena.ofShared();

    /** Held by the thread that exchanges or closes. */
    private final ReentrantLock exchanging = new ReentrantLock();

    private volatile @Nullable GangException failure;
    private volatile boolean isClosed;

    private UcxTransport(UcxWorker worker, int rank) {
        this.worker = worker;
        this.rank = rank;
    }

    /**
     * Opens a rank's end, which is then connected to each peer.
     *
     * @param spins looks in vain before each further one yields the core; few where ranks are more
     *     than cores
     * @throws GangException where UCX is absent or fails; the message names the package
     */
    static UcxTransport open(int rank, int size, int spins) {
        try {
            return new UcxTransport(UcxWorker.open(rank, size, spins), rank);
        } catch (NativeException e) {
            throw gangException(e);
        }
    }

    /** Why ranks cannot meet over UCX here: the package that is missing; null: they can. */
    public static @Nullable String absence() {
        try {
            UcxWorker.open(0, 1, DEFAULT_SPINS).close();
            return null;
        } catch (NativeException e) {
            return e.getMessage();
        }
    }

    byte[] address() {
        try {
            return worker.workerAddress();
        } catch (NativeException e) {
            throw gangException(e);
        }
    }

    void connect(int peer, byte[] address) {
        try {
            worker.connect(peer, address);
        } catch (NativeException e) {
            throw gangException(e);
        }
    }

    @Override
    public int rank() {
        return rank;
    }

    @Override
    public int size() {
        return worker.size();
    }

    @Override
    public MemorySegment allocate(long bytes) {
        exchanging.lock();
        try {
            requireOpen();
            return worker.allocate(bytes, lent);
        } catch (NativeException e) {
            throw gangException(e);
        } finally {
            exchanging.unlock();
        }
    }

    @Override
    public void exchange(int kind, Parts send, Parts receive, long deadlineNanos) {
        if (kind < 0 || kind > 255) {
            throw new IllegalArgumentException("kind must be in [0, 255]: kind=" + kind);
        }
        requireNative(send);
        requireNative(receive);
        exchanging.lock();
        try {
            requireOpen();
            for (int peer = 0; peer < size(); peer++) {
                worker.send(peer, send.offset(peer), send.bytes(peer));
                worker.receive(peer, receive.offset(peer), receive.capacity(peer));
            }
            worker.exchange(kind, receive.memory(), send.memory(), Math.max(deadlineNanos, 0));
            for (int peer = 0; peer < size(); peer++) {
                receive.fill(peer, worker.receivedBytes(peer));
            }
        } catch (NativeException e) {
            GangException why = gangException(e);
            failure = why;
            worker.abort(String.valueOf(why.getMessage())); // where it has not failed by itself
            throw why;
        } finally {
            exchanging.unlock();
        }
    }

    private void requireNative(Parts parts) {
        if (parts.size() != size()) {
            throw new IllegalArgumentException(
                    "a gang of size=%d exchanges as many parts: parts=%d"
                            .formatted(size(), parts.size()));
        }
        if (!parts.memory().isNative()) {
            throw new IllegalArgumentException("parts must lie outside the heap");
        }
    }

    private void requireOpen() {
        GangException why = failure;
        if (why != null) {
            throw new GangException(why.kind(), String.valueOf(why.getMessage()), why);
        }
        if (isClosed) {
            throw new GangException(GangException.Kind.ABORTED, "rank " + rank + " is closed");
        }
    }

    /** Any thread may call it, while another one exchanges as well. */
    @Override
    public synchronized void abort(String why) {
        if (!isClosed) {
            worker.abort(why);
        }
    }

    @Override
    public void close() {
        if (!exchanging.tryLock()) {
            abort("rank " + rank + " closes");
            exchanging.lock();
        }
        try {
            synchronized (this) {
                if (!isClosed) {
                    lent.close();
                }
                isClosed = true;
                worker.close();
            }
        } finally {
            exchanging.unlock();
        }
    }

    private static GangException gangException(NativeException e) {
        GangException.Kind kind =
                switch (e.status()) {
                    case TIMEOUT -> GangException.Kind.DEADLINE;
                    case MISMATCH -> GangException.Kind.MISMATCH;
                    case ABORTED -> GangException.Kind.ABORTED;
                    case INVALID,
                            OUT_OF_MEMORY,
                            UNSUPPORTED,
                            UNAVAILABLE,
                            DEVICE_LOST,
                            TRANSPORT,
                            INTERNAL ->
                            GangException.Kind.TRANSPORT;
                };
        return new GangException(kind, String.valueOf(e.getMessage()), e);
    }
}
