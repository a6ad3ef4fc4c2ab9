package io.cortado.device;

import static io.cortado.device.NativeException.check;

import io.cortado.bindings.CortadoNative;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** A queue of operations that run one after the other, asynchronously to the caller. */
public final class Stream extends NativeHandle {
    private boolean isCapturing;

    Stream(MemorySegment address) {
        super(address);
    }

    /** Waits until everything enqueued so far has run. */
    public void synchronize() {
        check(CortadoNative.ct_stream_synchronize(address()));
    }

    /**
     * What is enqueued after this call runs once the event is reached, which may be of another
     * device; {@code cortado.h} tells the limits.
     */
    public void await(Event event) {
        check(CortadoNative.ct_stream_wait_event(address(), event.address()));
    }

    /** The GPU's own stream, for a vendor's library. */
    long nativeAddress() {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment out = call.allocate(CortadoNative.C_POINTER);
            check(CortadoNative.ct_stream_native(out, address()));
            return out.get(CortadoNative.C_POINTER, 0).address();
        }
    }

    boolean isCapturing() {
        return isCapturing;
    }

    /** From here on operations are recorded and not run. */
    public void beginCapture() {
        check(CortadoNative.ct_stream_begin_capture(address()));
        isCapturing = true;
    }

    /** Ends recording. What the graph refers to must outlive it. */
    public Graph endCapture() {
        isCapturing = false;
        try (Arena call = Arena.ofConfined()) {
            MemorySegment out = call.allocate(CortadoNative.C_POINTER);
            check(CortadoNative.ct_stream_end_capture(out, address()));
            return new Graph(out.get(CortadoNative.C_POINTER, 0));
        }
    }

    /** Waits for what was enqueued first. */
    @Override
    void destroy(MemorySegment open) {
        check(CortadoNative.ct_stream_destroy(open));
    }
}
