package io.cortado.device;

import org.jspecify.annotations.Nullable;

/**
 * y = x W^T + bias: the library's own kernel; on a GPU cuBLASLt for many rows, where it is found
 * and bits may depend on the batch. The log says once which serves.
 */
public final class DenseGemm implements AutoCloseable {
    private final @Nullable CublasLt vendor;

    private DenseGemm(@Nullable CublasLt vendor) {
        this.vendor = vendor;
    }

    /**
     * @param isDeterministic a row's bits must not depend on its batch: own kernels only
     */
    public static DenseGemm of(Device device, boolean isDeterministic) {
        boolean isGpu = device.info().name().startsWith("cuda:");
        return new DenseGemm(isGpu && !isDeterministic ? CublasLt.open(device).orElse(null) : null);
    }

    /** Enqueues; arguments as {@link Kernels#linear}. */
    public void enqueue(
            Buffer y,
            Buffer x,
            Weights weights,
            @Nullable Buffer bias,
            long rows,
            long yStride,
            long xStride,
            DType yDtype,
            DType xDtype,
            Stream stream) {
        if (vendor != null
                && bias == null
                && xDtype == DType.BF16
                && weights.dtype() == DType.BF16
                && vendor.linear(y, x, weights, rows, yStride, xStride, yDtype, stream)) {
            return;
        }
        Kernels.linear(y, x, weights, bias, rows, yStride, xStride, yDtype, xDtype, stream);
    }

    @Override
    public void close() {
        if (vendor != null) {
            vendor.close();
        }
    }
}
