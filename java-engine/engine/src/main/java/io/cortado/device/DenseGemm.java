package io.cortado.device;

import static java.lang.System.Logger.Level.INFO;

import org.jspecify.annotations.Nullable;

/**
 * y = x W^T + bias: the library's own kernel; on a GPU cuBLASLt for many rows, where it is found
 * and bits may depend on the batch (its kernels' do). The log says once which serves a GPU.
 */
public final class DenseGemm implements AutoCloseable {
    /** Below it the library's own kernels serve: they read the weights once and wait less. */
    static final long MIN_VENDOR_ROWS = 64;

    private static final System.Logger LOG = System.getLogger(DenseGemm.class.getName());

    private final @Nullable VendorGemm vendor;

    DenseGemm(@Nullable VendorGemm vendor) {
        this.vendor = vendor;
    }

    /**
     * @param isDeterministic a row's bits must not depend on its batch: own kernels only
     */
    public static DenseGemm of(Device device, boolean isDeterministic) {
        boolean mayUseVendor = mayUseVendor(device.info().name(), isDeterministic);
        return new DenseGemm(mayUseVendor ? openVendor(device, VendorLibraries.ofMachine()) : null);
    }

    static boolean mayUseVendor(String deviceName, boolean isDeterministic) {
        boolean isGpu = deviceName.startsWith("cuda:");
        if (isGpu && isDeterministic) {
            LOG.log(INFO, "dense GEMM: own kernels (deterministic)");
        }
        return isGpu && !isDeterministic;
    }

    /** Null, and the log says why, where it is not to be had. */
    static @Nullable VendorGemm openVendor(Device device, VendorLibraries libraries) {
        try {
            VendorGemm opened = CublasLt.open(device, libraries);
            LOG.log(INFO, "dense GEMM: cuBLASLt from {0} rows on", MIN_VENDOR_ROWS);
            return opened;
        } catch (LinkageError | VendorGemm.UnavailableException e) {
            LOG.log(INFO, "dense GEMM: own kernels (no cuBLASLt: {0})", e.toString());
            return null;
        }
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
                && rows >= MIN_VENDOR_ROWS
                && bias == null
                && xDtype == DType.BF16
                && weights.dtypeOnGpu() == DType.BF16
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
