package io.cortado.device;

import static io.cortado.device.NativeException.check;

import io.cortado.bindings.CortadoNative;
import io.cortado.bindings.ct_host_function;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;

/**
 * Java code that streams call in their order, on threads of the native library. It may wait, but
 * must not use the device whose stream it is called by.
 */
public final class HostCall implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(HostCall.class.getName());

    private final Arena arena = Arena.ofShared();
    private final LongConsumer body;
    private final MemorySegment function;
    private volatile @Nullable Throwable failure;

    /**
     * @param body gets what {@link #enqueue} was given; what it throws ends it for good
     */
    public HostCall(LongConsumer body) {
        this.body = body;
        function = ct_host_function.allocate(this::call, arena);
    }

    /** Nothing may be thrown into native code. */
    private void call(MemorySegment argument) {
        if (failure != null) {
            return;
        }
        try {
            body.accept(argument.address());
        } catch (Throwable e) {
            failure = e;
            LOG.log(System.Logger.Level.ERROR, "a call in a stream has failed", e);
        }
    }

    /** What the body has thrown; it is not called again after that. */
    public @Nullable Throwable failure() {
        return failure;
    }

    /** Enqueues: the body with this argument. */
    public void enqueue(Stream stream, long argument) {
        check(
                CortadoNative.ct_stream_call(
                        stream.address(), function, MemorySegment.ofAddress(argument)));
    }

    /** To be closed after the streams that may still call it have run. */
    @Override
    public void close() {
        arena.close();
    }
}
