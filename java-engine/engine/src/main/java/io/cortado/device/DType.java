package io.cortado.device;

import io.cortado.bindings.CortadoNative;

/** Element types of buffers and weights. */
public enum DType {
    F32(CortadoNative.CT_F32(), 4),
    BF16(CortadoNative.CT_BF16(), 2),
    F16(CortadoNative.CT_F16(), 2),
    /** fp8 with 4 bits of exponent: of the KV cache alone. */
    F8_E4M3(CortadoNative.CT_F8_E4M3(), 1);

    private final int code;
    private final int bytes;

    DType(int code, int bytes) {
        this.code = code;
        this.bytes = bytes;
    }

    /** The ABI's {@code ct_dtype}. */
    public int code() {
        return code;
    }

    public int bytes() {
        return bytes;
    }
}
