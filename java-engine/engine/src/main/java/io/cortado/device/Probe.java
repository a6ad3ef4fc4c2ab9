package io.cortado.device;

import io.cortado.bindings.CortadoNative;

/** What can be measured of a device, per second. */
public enum Probe {
    /** Bytes read from memory. */
    READ_BANDWIDTH(CortadoNative.CT_PROBE_READ_BANDWIDTH()),
    /** Operations in bf16. */
    BF16_FLOPS(CortadoNative.CT_PROBE_BF16_FLOPS()),
    /** Operations in float32. */
    F32_FLOPS(CortadoNative.CT_PROBE_F32_FLOPS());

    private final int code;

    Probe(int code) {
        this.code = code;
    }

    int code() {
        return code;
    }
}
