package io.cortado.model;

import io.cortado.device.DType;

/** Type of activations between operations. */
public enum Activations {
    BF16(DType.BF16),
    F32(DType.F32);

    private final DType dtype;

    Activations(DType dtype) {
        this.dtype = dtype;
    }

    DType dtype() {
        return dtype;
    }
}
