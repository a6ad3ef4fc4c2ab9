package io.cortado.device;

import static io.cortado.device.NativeException.check;

import io.cortado.bindings.CortadoNative;
import io.cortado.bindings.ct_host_function;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Semaphore;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * Java code that a stream calls in its order, on a thread of the native library. It may wait, but
 * must not use the device whose stream it is called by. One thread enqueues, on one stream at a
 * time.
 *
 * @param <T> what describes a call, used again and again
 */
public final class HostQueue<T> implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(HostQueue.class.getName());

    private final Arena arena = Arena.ofShared();
    private final Consumer<T> body;
    private final MemorySegment function;
    private final List<T> calls = new ArrayList<>();
    private final Semaphore free;
    private long enqueued;

    /**
     * @param capacity calls that may be enqueued and not yet made; with more, enqueueing waits
     * @param body is not to throw: what it throws is logged and otherwise lost
     */
    public HostQueue(int capacity, Supplier<T> call, Consumer<T> body) {
        this.body = body;
        free = new Semaphore(capacity);
        for (int i = 0; i < capacity; i++) {
            calls.add(call.get());
        }
        function = ct_host_function.allocate(this::call, arena);
    }

    /** Nothing may be thrown into native code. */
    private void call(MemorySegment argument) {
        try {
            body.accept(calls.get((int) argument.address()));
        } catch (Throwable e) {
            LOG.log(System.Logger.Level.ERROR, "a call in a stream has failed", e);
        } finally {
            free.release();
        }
    }

    /** What the next call is to be described in, before {@link #enqueue}. */
    public T next() {
        free.acquireUninterruptibly();
        return calls.get((int) (enqueued % calls.size()));
    }

    /** Enqueues the call that {@link #next} gave. */
    public void enqueue(Stream stream) {
        boolean isEnqueued = false;
        try {
            MemorySegment index = MemorySegment.ofAddress(enqueued % calls.size());
            check(CortadoNative.ct_stream_call(stream.address(), function, index));
            enqueued++;
            isEnqueued = true;
        } finally {
            if (!isEnqueued) {
                free.release();
            }
        }
    }

    /** Waits for the calls that are still to be made. */
    @Override
    public void close() {
        free.acquireUninterruptibly(calls.size());
        arena.close();
    }
}
