package io.cortado.device;

/**
 * A vendor's dense GEMM for many rows. Named apart from what computes it, so that classes of a
 * library that is not on the class path are only touched where their absence is expected.
 */
interface VendorGemm extends AutoCloseable {
    /**
     * Enqueues y[rows, n] = x[rows, k] @ weights[n, k]^T, all bf16 but y, which may be float32.
     *
     * @return false if it was not enqueued and the library's own kernel has to serve: a shape
     *     without an algorithm, or a new one while the stream is captured and nothing can be timed
     */
    boolean linear(
            Buffer y,
            Buffer x,
            Weights weights,
            long rows,
            long yStride,
            long xStride,
            DType yDtype,
            Stream stream);

    @Override
    void close();

    /** It cannot be used on this machine. */
    final class UnavailableException extends RuntimeException {
        private static final long serialVersionUID = 1;

        UnavailableException(String message) {
            super(message);
        }
    }
}
