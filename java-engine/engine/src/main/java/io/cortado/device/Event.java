package io.cortado.device;

import static io.cortado.device.NativeException.check;

import io.cortado.bindings.CortadoNative;
import java.lang.foreign.MemorySegment;

/** A point in a stream that a thread can wait for. */
public final class Event extends NativeHandle {
    Event(MemorySegment address) {
        super(address);
    }

    /** Moves the event to here: reached when the stream has run what is enqueued so far. */
    public void record(Stream stream) {
        check(CortadoNative.ct_event_record(address(), stream.address()));
    }

    /**
     * Waits for at most so long; 0 only asks.
     *
     * @return whether the event is reached (or was never recorded)
     */
    public boolean await(long timeoutMs) {
        int status = CortadoNative.ct_event_wait(address(), timeoutMs);
        if (status == CortadoNative.CT_TIMEOUT()) {
            return false;
        }
        check(status);
        return true;
    }

    @Override
    void destroy(MemorySegment open) {
        check(CortadoNative.ct_event_destroy(open));
    }
}
