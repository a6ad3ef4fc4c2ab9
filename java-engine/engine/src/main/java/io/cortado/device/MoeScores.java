package io.cortado.device;

import io.cortado.bindings.CortadoNative;

/** What a router makes of its logits. */
public enum MoeScores {
    SOFTMAX(CortadoNative.CT_MOE_SOFTMAX()),
    SIGMOID(CortadoNative.CT_MOE_SIGMOID()),
    /** The logits choose; the softmax is over the chosen. */
    SOFTMAX_CHOSEN(CortadoNative.CT_MOE_SOFTMAX_CHOSEN());

    private final int code;

    MoeScores(int code) {
        this.code = code;
    }

    int code() {
        return code;
    }
}
