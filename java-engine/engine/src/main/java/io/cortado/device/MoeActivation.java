package io.cortado.device;

import io.cortado.bindings.CortadoNative;

/** The function between an expert's gate and up. */
public enum MoeActivation {
    SILU(CortadoNative.CT_MOE_SILU()),
    GELU_TANH(CortadoNative.CT_MOE_GELU_TANH()),
    /** Of gpt-oss, with an alpha and a limit. */
    SILU_CLAMPED(CortadoNative.CT_MOE_SILU_CLAMPED());

    private final int code;

    MoeActivation(int code) {
        this.code = code;
    }

    int code() {
        return code;
    }
}
