package io.cortado.device;

import static org.bytedeco.cuda.global.cublas.CUBLASLT_MATMUL_DESC_TRANSA;
import static org.bytedeco.cuda.global.cublas.CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES;
import static org.bytedeco.cuda.global.cublas.CUBLAS_COMPUTE_32F;
import static org.bytedeco.cuda.global.cublas.CUBLAS_OP_T;
import static org.bytedeco.cuda.global.cublas.CUBLAS_STATUS_SUCCESS;
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
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
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
import org.jspecify.annotations.Nullable;

/**
 * NVIDIA's dense GEMM through the JavaCPP presets, which link against the libraries that {@link
 * VendorLibraries} finds. One thread. Not yet run on a GPU.
 */
final class CublasLt implements VendorGemm {
    private static final String[] LIBRARIES = {
        "libcudart.so.13", "libcublasLt.so.13", "libcublas.so.13"
    };
    private static final long WORKSPACE_BYTES = 32L << 20;
    private static final int CANDIDATES = 8;

    /**
     * All that an algorithm may depend on. Rows are grouped by the next power of two: a bucket has
     * one algorithm.
     */
    private record Shape(
            long n, long k, long rowBucket, long yStride, long xStride, DType yDtype) {}

    private final ResourceStack owned = new ResourceStack();
    private final AlgorithmChoice<Shape, cublasLtMatmulAlgo_t> algorithms =
            new AlgorithmChoice<>(System::nanoTime);
    private final cublasLtContext handle = new cublasLtContext();
    private final Buffer workspace;
    private final Address workspaceAddress = new Address();
    private final cublasLtMatmulDescOpaque_t operation = own(new cublasLtMatmulDescOpaque_t());
    private final cublasLtMatmulPreferenceOpaque_t preference =
            own(new cublasLtMatmulPreferenceOpaque_t());
    private final FloatPointer one = own(new FloatPointer(1f));
    private final FloatPointer zero = own(new FloatPointer(0f));
    private final Product product = new Product();

    private CublasLt(Device device) {
        boolean built = false;
        try {
            check("cublasLtCreate", cublasLtCreate(handle));
            owned.push(() -> check("cublasLtDestroy", cublasLtDestroy(handle)));
            workspace = device.createBuffer(WORKSPACE_BYTES);
            owned.push(workspace::close);
            workspaceAddress.set(workspace.deviceAddress());
            describe();
            built = true;
        } finally {
            if (!built) {
                owned.close();
            }
        }
    }

    /** What all products share: float32 sums, transposed weights, the workspace's limit. */
    private void describe() {
        try (IntPointer transposed = new IntPointer(1).put(CUBLAS_OP_T);
                SizeTPointer bytes = new SizeTPointer(1).put(WORKSPACE_BYTES)) {
            check(
                    "cublasLtMatmulDescInit",
                    cublasLtMatmulDescInit(operation, CUBLAS_COMPUTE_32F, CUDA_R_32F));
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

    /**
     * Loads NVIDIA's libraries and the presets' own.
     *
     * @throws UnavailableException if one is not found or a call is refused
     * @throws LinkageError if one cannot be loaded
     */
    @SuppressWarnings("restricted") // System.load is what this method is for
    static CublasLt open(Device device, VendorLibraries libraries) {
        for (String name : LIBRARIES) {
            Path file =
                    libraries
                            .find(name)
                            .orElseThrow(() -> new UnavailableException(name + " was not found"));
            System.load(file.toString());
        }
        Loader.load(cublas.class);
        return new CublasLt(device);
    }

    @Override
    public boolean linear(
            Buffer y,
            Buffer x,
            Weights weights,
            long rows,
            long yStride,
            long xStride,
            DType yDtype,
            Stream stream) {
        long rowBucket = Long.highestOneBit(rows - 1) << 1;
        Shape shape =
                new Shape(weights.rows(), weights.cols(), rowBucket, yStride, xStride, yDtype);
        product.set(y, x, weights, rows, yStride, xStride, yDtype, stream);
        return algorithms.enqueue(shape, product, !stream.isCapturing());
    }

    @Override
    public void close() {
        owned.close();
    }

    private <P extends Pointer> P own(P pointer) {
        owned.push(pointer::close);
        return pointer;
    }

    /** One matrix product in cuBLAS's column-major view: y^T = weights^T(T) x^T. */
    private final class Product implements AlgorithmChoice.Product<cublasLtMatmulAlgo_t> {
        private final Address y = new Address();
        private final Address x = new Address();
        private final Address w = new Address();
        private final Address queue = new Address();
        private final cublasLtMatrixLayoutOpaque_t yLayout =
                own(new cublasLtMatrixLayoutOpaque_t());
        private final cublasLtMatrixLayoutOpaque_t xLayout =
                own(new cublasLtMatrixLayoutOpaque_t());
        private final cublasLtMatrixLayoutOpaque_t wLayout =
                own(new cublasLtMatrixLayoutOpaque_t());
        private @Nullable Stream stream;

        void set(
                Buffer yBuffer,
                Buffer xBuffer,
                Weights weights,
                long rows,
                long yStride,
                long xStride,
                DType yDtype,
                Stream onStream) {
            Weights.OnGpu matrix = weights.onGpu();
            y.set(yBuffer.deviceAddress());
            x.set(xBuffer.deviceAddress());
            w.set(matrix.address());
            queue.set(onStream.nativeAddress());
            stream = onStream;
            int yType = yDtype == DType.F32 ? CUDA_R_32F : CUDA_R_16BF;
            lay(yLayout, yType, weights.rows(), rows, yStride);
            lay(xLayout, CUDA_R_16BF, weights.cols(), rows, xStride);
            lay(wLayout, CUDA_R_16BF, weights.cols(), weights.rows(), matrix.stride());
        }

        @Override
        public List<cublasLtMatmulAlgo_t> proposals() {
            try (cublasLtMatmulHeuristicResult_t results =
                    new cublasLtMatmulHeuristicResult_t(CANDIDATES)) {
                int[] count = new int[1];
                int status =
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
                                count);
                List<cublasLtMatmulAlgo_t> found = new ArrayList<>();
                for (int i = 0; status == CUBLAS_STATUS_SUCCESS && i < count[0]; i++) {
                    cublasLtMatmulHeuristicResult_t result = results.getPointer(i);
                    if (result.state() == CUBLAS_STATUS_SUCCESS) {
                        found.add(copy(result.algo()));
                    }
                }
                return found;
            }
        }

        /** A result's algorithm lies in the result's memory, which goes with it. */
        private cublasLtMatmulAlgo_t copy(cublasLtMatmulAlgo_t from) {
            cublasLtMatmulAlgo_t copy = own(new cublasLtMatmulAlgo_t());
            Pointer.memcpy(copy, from, copy.sizeof());
            return copy;
        }

        @Override
        public boolean enqueue(cublasLtMatmulAlgo_t algorithm) {
            int status =
                    cublasLtMatmul(
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
                            workspaceAddress,
                            WORKSPACE_BYTES,
                            new CUstream_st(queue));
            return status == CUBLAS_STATUS_SUCCESS;
        }

        @Override
        public void synchronize() {
            Objects.requireNonNull(stream).synchronize();
        }
    }

    private static void lay(
            cublasLtMatrixLayoutOpaque_t layout, int type, long rows, long cols, long stride) {
        check(
                "cublasLtMatrixLayoutInit",
                cublasLtMatrixLayoutInit(layout, type, rows, cols, stride));
    }

    private static void check(String function, int status) {
        if (status != CUBLAS_STATUS_SUCCESS) {
            throw new UnavailableException(function + ": cuBLAS status " + status);
        }
    }

    /** A pointer into the device's memory, or to an object of its driver. */
    private static final class Address extends Pointer {
        void set(long value) {
            address = value;
        }
    }
}
