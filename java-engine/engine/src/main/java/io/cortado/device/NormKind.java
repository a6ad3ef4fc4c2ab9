package io.cortado.device;

import io.cortado.bindings.CortadoNative;

/** What {@link Kernels#norm} divides by. */
public enum NormKind {
    /** The root of the mean square. */
    RMS(CortadoNative.CT_NORM_RMS()),
    /** The standard deviation, the mean subtracted. */
    LAYER(CortadoNative.CT_NORM_LAYER()),
    /** Nothing: the sum with the residual stays as it is. */
    NONE(CortadoNative.CT_NORM_NONE());

    private final int code;

    NormKind(int code) {
        this.code = code;
    }

    int code() {
        return code;
    }
}
