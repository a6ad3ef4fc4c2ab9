package io.cortado.device;

import io.cortado.bindings.CortadoNative;

/** How a native call ended, if not well. */
public enum Status {
    INVALID,
    OUT_OF_MEMORY,
    UNSUPPORTED,
    UNAVAILABLE,
    TIMEOUT,
    DEVICE_LOST,
    MISMATCH,
    ABORTED,
    TRANSPORT,
    INTERNAL;

    static Status of(int code) {
        if (code == CortadoNative.CT_INVALID()) {
            return INVALID;
        } else if (code == CortadoNative.CT_OUT_OF_MEMORY()) {
            return OUT_OF_MEMORY;
        } else if (code == CortadoNative.CT_UNSUPPORTED()) {
            return UNSUPPORTED;
        } else if (code == CortadoNative.CT_UNAVAILABLE()) {
            return UNAVAILABLE;
        } else if (code == CortadoNative.CT_TIMEOUT()) {
            return TIMEOUT;
        } else if (code == CortadoNative.CT_DEVICE_LOST()) {
            return DEVICE_LOST;
        } else if (code == CortadoNative.CT_MISMATCH()) {
            return MISMATCH;
        } else if (code == CortadoNative.CT_ABORTED()) {
            return ABORTED;
        } else if (code == CortadoNative.CT_TRANSPORT()) {
            return TRANSPORT;
        }
        return INTERNAL;
    }
}
