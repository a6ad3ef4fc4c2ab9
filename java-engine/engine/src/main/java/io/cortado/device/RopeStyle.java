package io.cortado.device;

import io.cortado.bindings.CortadoNative;

/** Which elements of a head rotate together. */
public enum RopeStyle {
    /** No rotation. */
    NONE(CortadoNative.CT_ROPE_NONE()),
    /** Pairs (i, i + rotaryDim / 2). */
    HALVES(CortadoNative.CT_ROPE_HALVES()),
    /** Pairs (2i, 2i + 1). */
    NEIGHBOURS(CortadoNative.CT_ROPE_NEIGHBOURS());

    private final int code;

    RopeStyle(int code) {
        this.code = code;
    }

    int code() {
        return code;
    }
}
