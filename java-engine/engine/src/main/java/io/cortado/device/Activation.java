package io.cortado.device;

import io.cortado.bindings.CortadoNative;

/** The function between gate and up. */
public enum Activation {
    SILU(CortadoNative.CT_SILU()),
    GELU_TANH(CortadoNative.CT_GELU_TANH());

    private final int code;

    Activation(int code) {
        this.code = code;
    }

    int code() {
        return code;
    }
}
