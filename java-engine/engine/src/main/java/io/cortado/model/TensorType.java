package io.cortado.model;

import io.cortado.device.DType;
import org.jspecify.annotations.Nullable;

/**
 * Element types of the safetensors format; those that weights may have know their {@link DType}.
 */
enum TensorType {
    BOOL(1, null),
    U8(1, null),
    I8(1, null),
    F8_E4M3(1, null),
    F8_E5M2(1, null),
    F8_E8M0(1, null),
    U16(2, null),
    I16(2, null),
    F16(2, DType.F16),
    BF16(2, DType.BF16),
    U32(4, null),
    I32(4, null),
    F32(4, DType.F32),
    U64(8, null),
    I64(8, null),
    F64(8, null),
    C64(8, null);

    private final int bytes;
    private final @Nullable DType dtype;

    TensorType(int bytes, @Nullable DType dtype) {
        this.bytes = bytes;
        this.dtype = dtype;
    }

    int bytes() {
        return bytes;
    }

    @Nullable DType dtype() {
        return dtype;
    }

    static @Nullable TensorType find(String name) {
        for (TensorType type : values()) {
            if (type.name().equals(name)) {
                return type;
            }
        }
        return null;
    }
}
