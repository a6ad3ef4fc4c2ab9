package io.cortado.model;

import io.cortado.device.DType;

/** Type of the KV cache. */
public enum KvType {
    /** The activations' own. */
    AUTO,
    F32,
    BF16,
    F16,
    FP8_E4M3;

    DType dtype(Activations activations) {
        return switch (this) {
            case AUTO -> activations.dtype();
            case F32 -> DType.F32;
            case BF16 -> DType.BF16;
            case F16 -> DType.F16;
            case FP8_E4M3 -> DType.F8_E4M3;
        };
    }
}
