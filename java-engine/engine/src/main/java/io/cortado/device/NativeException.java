package io.cortado.device;

import io.cortado.bindings.CortadoNative;
import java.lang.foreign.MemorySegment;

/** A native call failed; the message names the function, the value and the limit. */
public final class NativeException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final Status status;

    NativeException(Status status, String message) {
        super(message);
        this.status = status;
    }

    public Status status() {
        return status;
    }

    /**
     * Throws what the last call of this thread left behind, unless its status is good. The text is
     * per thread and lives until the next call, hence read here and at once.
     */
    static void check(int status) {
        if (status != CortadoNative.CT_OK()) {
            throw last(status);
        }
    }

    private static NativeException last(int status) {
        MemorySegment text = CortadoNative.ct_last_error();
        String message = text.equals(MemorySegment.NULL) ? "" : text.getString(0);
        return new NativeException(
                Status.of(status), message.isEmpty() ? "native status " + status : message);
    }
}
