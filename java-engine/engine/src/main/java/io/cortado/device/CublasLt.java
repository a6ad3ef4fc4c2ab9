package io.cortado.device;

import static java.lang.System.Logger.Level.INFO;
import static org.bytedeco.cuda.global.cublas.CUBLASLT_MATMUL_DESC_TRANSA;
import static org.bytedeco.cuda.global.cublas.CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES;
import static org.bytedeco.cuda.global.cublas.CUBLAS_COMPUTE_32F;
import static org.bytedeco.cuda.global.cublas.CUBLAS_OP_T;
import static org.bytedeco.cuda.global.cublas.cublasLtCreate;
import static org.bytedeco.cuda.global.cublas.cublasLtDestroy;
import static org.bytedeco.cuda.global.cublas.cublasLtMatmul;
import static org.bytedeco.cuda.global.cublas.cublasLtMatmulAlgoGetHeuristic;
import static org.bytedeco.cuda.global.cublas.cublasLtMatmulDescInit;
import static org.bytedeco.cuda.global.cublas.cublasLtMatmulDescSetAttribute;
import static org.bytedeco.cuda.global.cublas.cublasLtMatmulPreferenceInit;
import static org.bytedeco.cuda.global.cublas.cublasLtMatmulPreferenceSetAttribute;
import static org.bytedeco.cuda.global.cublas.cublasLtMatrixLayoutInit;
import static org.bytedeco.cuda.global.cudart.CUDA_R_16BF;
import static org.bytedeco.cuda.global.cudart.CUDA_R_32F;

import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.bytedeco.cuda.cublas.cublasLtContext;
import org.bytedeco.cuda.cublas.cublasLtMatmulAlgo_t;
import org.bytedeco.cuda.cublas.cublasLtMatmulDescOpaque_t;
import org.bytedeco.cuda.cublas.cublasLtMatmulHeuristicResult_t;
import org.bytedeco.cuda.cublas.cublasLtMatmulPreferenceOpaque_t;
import org.bytedeco.cuda.cublas.cublasLtMatrixLayoutOpaque_t;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.bytedeco.cuda.global.cublas;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.SizeTPointer;

/**
 * NVIDIA's dense GEMM for many rows, an optional accelerator through the JavaCPP presets: used
 * where its libraries are found, the device is a GPU, and bits may depend on the batch (its kernels
 * do). The algorithm of a shape is the fastest of those that cuBLASLt proposes, timed once and
 * kept. Not yet run on a GPU.
 */
final class CublasLt implements AutoCloseable {
    /** Below it the library's own kernels serve: they read the weights once and wait less. */
    static final long MIN_ROWS = 64;

    private static final System.Logger LOG = System.getLogger(CublasLt.class.getName());
    private static final long WORKSPACE_BYTES = 32L << 20;
    private static final int CANDIDATES = 8;
    private static final int TIMED_RUNS = 5;

    /** Rows are grouped by the next power of two: a bucket has one algorithm. */
    private record Shape(long n, long k, long rowBucket, DType yDtype) {}

    private final cublasLtContext handle;
    private final Buffer workspace;
    private final Map<Shape, cublasLtMatmulAlgo_t> algorithms = new HashMap<>();
    private final cublasLtMatmulDescOpaque_t operation = new cublasLtMatmulDescOpaque_t();
    private final cublasLtMatmulPreferenceOpaque_t preference =
            new cublasLtMatmulPreferenceOpaque_t();
    private final FloatPointer one = new FloatPointer(1f);
    private final FloatPointer zero = new FloatPointer(0f);

    private CublasLt(Device device) {
        cublasLtContext created = new cublasLtContext();
        check("cublasLtCreate", cublasLtCreate(created));
        handle = created;
        workspace = device.createBuffer(WORKSPACE_BYTES);
        check(
                "cublasLtMatmulDescInit",
                cublasLtMatmulDescInit(operation, CUBLAS_COMPUTE_32F, CUDA_R_32F));
        try (IntPointer transposed = new IntPointer(1).put(CUBLAS_OP_T);
                SizeTPointer bytes = new SizeTPointer(1).put(WORKSPACE_BYTES)) {
            check(
                    "cublasLtMatmulDescSetAttribute",
                    cublasLtMatmulDescSetAttribute(
                            operation, CUBLASLT_MATMUL_DESC_TRANSA, transposed, Integer.BYTES));
            check("cublasLtMatmulPreferenceInit", cublasLtMatmulPreferenceInit(preference));
            check(
                    "cublasLtMatmulPreferenceSetAttribute",
                    cublasLtMatmulPreferenceSetAttribute(
                            preference,
                            CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                            bytes,
                            Long.BYTES));
        }
    }

    /** Loads cuBLASLt for a GPU; empty, and the log says why, where it is not to be had. */
    @SuppressWarnings("restricted") // System.load is what this method is for
    static Optional<CublasLt> open(Device device) {
        VendorLibraries libraries = VendorLibraries.ofMachine();
        try {
            for (String name :
                    new String[] {"libcudart.so.13", "libcublasLt.so.13", "libcublas.so.13"}) {
                Optional<Path> file = libraries.find(name);
                if (file.isEmpty()) {
                    LOG.log(INFO, "dense GEMM: own kernels ({0} was not found)", name);
                    return Optional.empty();
                }
                System.load(file.get().toString());
            }
            Loader.load(cublas.class);
            CublasLt opened = new CublasLt(device);
            LOG.log(INFO, "dense GEMM: cuBLASLt from {0} rows on", MIN_ROWS);
            return Optional.of(opened);
        } catch (LinkageError
                | CublasException e) { // also where the presets are not on the class path
            LOG.log(INFO, "dense GEMM: own kernels (cuBLASLt cannot be loaded: {0})", e.toString());
            return Optional.empty();
        }
    }

    /**
     * y[rows, n] = x[rows, k] @ weights[n, k]^T, all bf16 but y, which may be float32.
     *
     * @return false if it was not enqueued and the library's own kernel has to serve: few rows, or
     *     a shape without an algorithm while the stream is captured and nothing can be timed
     */
    boolean linear(
            Buffer y,
            Buffer x,
            Weights weights,
            long rows,
            long yStride,
            long xStride,
            DType yDtype,
            Stream stream) {
        if (rows < MIN_ROWS) {
            return false;
        }
        Shape shape =
                new Shape(
                        weights.rows(), weights.cols(), Long.highestOneBit(rows - 1) << 1, yDtype);
        cublasLtMatmulAlgo_t known = algorithms.get(shape);
        if (known == null && stream.isCapturing()) {
            return false;
        }
        try (Call call = new Call(y, x, weights, rows, yStride, xStride, yDtype, stream)) {
            if (known == null) {
                known = call.fastest();
                algorithms.put(shape, known);
            }
            call.run(known);
        }
        return true;
    }

    @Override
    public void close() {
        workspace.close();
        check("cublasLtDestroy", cublasLtDestroy(handle));
    }

    /** One matrix product in cuBLAS's column-major view: y^T = weights^T(T) x^T. */
    private final class Call implements AutoCloseable {
        private final Pointer y;
        private final Pointer x;
        private final Pointer w;
        private final CUstream_st queue;
        private final Stream stream;
        private final cublasLtMatrixLayoutOpaque_t yLayout;
        private final cublasLtMatrixLayoutOpaque_t xLayout;
        private final cublasLtMatrixLayoutOpaque_t wLayout;

        Call(
                Buffer y,
                Buffer x,
                Weights weights,
                long rows,
                long yStride,
                long xStride,
                DType yDtype,
                Stream stream) {
            this.y = new Address(y.deviceAddress());
            this.x = new Address(x.deviceAddress());
            this.w = new Address(weights.deviceAddress());
            this.stream = stream;
            queue = new CUstream_st(new Address(stream.nativeAddress()));
            int yType = yDtype == DType.F32 ? CUDA_R_32F : CUDA_R_16BF;
            yLayout = layout(yType, weights.rows(), rows, yStride);
            xLayout = layout(CUDA_R_16BF, weights.cols(), rows, xStride);
            wLayout = layout(CUDA_R_16BF, weights.cols(), weights.rows(), weights.deviceStride());
        }

        void run(cublasLtMatmulAlgo_t algorithm) {
            check("cublasLtMatmul", matmul(algorithm));
        }

        private int matmul(cublasLtMatmulAlgo_t algorithm) {
            return cublasLtMatmul(
                    handle,
                    operation,
                    one,
                    w,
                    wLayout,
                    x,
                    xLayout,
                    zero,
                    y,
                    yLayout,
                    y,
                    yLayout,
                    algorithm,
                    new Address(workspace.deviceAddress()),
                    WORKSPACE_BYTES,
                    queue);
        }

        /** The first proposal is often not the fastest, so each is timed. */
        cublasLtMatmulAlgo_t fastest() {
            cublasLtMatmulHeuristicResult_t results =
                    new cublasLtMatmulHeuristicResult_t(CANDIDATES);
            int[] count = new int[1];
            check(
                    "cublasLtMatmulAlgoGetHeuristic",
                    cublasLtMatmulAlgoGetHeuristic(
                            handle,
                            operation,
                            wLayout,
                            xLayout,
                            yLayout,
                            yLayout,
                            preference,
                            CANDIDATES,
                            results,
                            count));
            long best = Long.MAX_VALUE;
            cublasLtMatmulAlgo_t chosen = results.getPointer(0).algo();
            for (int i = 0; i < count[0]; i++) {
                cublasLtMatmulAlgo_t candidate = results.getPointer(i).algo();
                long took = time(candidate);
                if (took < best) {
                    best = took;
                    chosen = candidate;
                }
            }
            if (best == Long.MAX_VALUE) {
                throw new CublasException("cublasLtMatmulAlgoGetHeuristic: no algorithm runs");
            }
            return chosen;
        }

        /** Nanoseconds of a few runs; the largest number for an algorithm that is refused. */
        private long time(cublasLtMatmulAlgo_t candidate) {
            if (matmul(candidate) != cublas.CUBLAS_STATUS_SUCCESS) {
                return Long.MAX_VALUE;
            }
            stream.synchronize();
            long start = System.nanoTime();
            for (int run = 0; run < TIMED_RUNS; run++) {
                matmul(candidate);
            }
            stream.synchronize();
            return System.nanoTime() - start;
        }

        @Override
        public void close() {
            yLayout.close();
            xLayout.close();
            wLayout.close();
        }
    }

    private static cublasLtMatrixLayoutOpaque_t layout(
            int type, long rows, long cols, long stride) {
        cublasLtMatrixLayoutOpaque_t layout = new cublasLtMatrixLayoutOpaque_t();
        check(
                "cublasLtMatrixLayoutInit",
                cublasLtMatrixLayoutInit(layout, type, rows, cols, stride));
        return layout;
    }

    private static void check(String function, int status) {
        if (status != cublas.CUBLAS_STATUS_SUCCESS) {
            throw new CublasException(function + ": cuBLAS status " + status);
        }
    }

    /** A pointer into the device's memory. */
    private static final class Address extends Pointer {
        Address(long value) {
            address = value;
        }
    }

    /** A call of cuBLASLt was refused. */
    static final class CublasException extends RuntimeException {
        private static final long serialVersionUID = 1;

        CublasException(String message) {
            super(message);
        }
    }
}
