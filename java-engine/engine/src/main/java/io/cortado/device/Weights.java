package io.cortado.device;

import static io.cortado.device.NativeException.check;

import io.cortado.bindings.CortadoNative;
import io.cortado.bindings.ct_weights_part;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/** A matrix [rows][cols], packed once for its device. */
public final class Weights extends NativeHandle {
    /** What a matrix is for: decides how it is packed. */
    public enum Use {
        /** Linear, and embedding (tied). */
        LINEAR(CortadoNative.CT_WEIGHTS_LINEAR()),
        /** Embedding only. */
        EMBEDDING(CortadoNative.CT_WEIGHTS_EMBEDDING());

        private final int code;

        Use(int code) {
            this.code = code;
        }
    }

    /**
     * Consecutive rows of the matrix, row-major and little-endian, at any alignment. Read during
     * the call only.
     */
    public record Part(MemorySegment data, long rows) {}

    private final long rows;
    private final long cols;
    private final DType dtype;

    private Weights(MemorySegment address, long rows, long cols, DType dtype) {
        super(address);
        this.dtype = dtype;
        this.rows = rows;
        this.cols = cols;
    }

    static Weights create(Device device, List<Part> parts, long cols, DType dtype, Use use) {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment array = ct_weights_part.allocateArray(Math.max(1, parts.size()), call);
            long rows = 0;
            for (int i = 0; i < parts.size(); i++) {
                Part part = parts.get(i);
                MemorySegment entry = ct_weights_part.asSlice(array, i);
                ct_weights_part.data(entry, part.data());
                ct_weights_part.rows(entry, part.rows());
                ct_weights_part.data_bytes(entry, part.data().byteSize());
                rows += part.rows();
            }
            MemorySegment out = call.allocate(CortadoNative.C_POINTER);
            check(
                    CortadoNative.ct_weights_create(
                            out,
                            device.address(),
                            array,
                            parts.size(),
                            cols,
                            dtype.code(),
                            use.code));
            return new Weights(out.get(CortadoNative.C_POINTER, 0), rows, cols, dtype);
        }
    }

    /** Of the tensors that it was packed from. */
    DType dtype() {
        return dtype;
    }

    public long rows() {
        return rows;
    }

    long cols() {
        return cols;
    }

    /** For a vendor's library: where the matrix lies, and elements from one row to the next. */
    record OnGpu(long address, long stride) {}

    OnGpu onGpu() {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment out = call.allocate(CortadoNative.C_POINTER);
            MemorySegment stride = call.allocate(CortadoNative.C_LONG);
            check(CortadoNative.ct_weights_device_address(out, stride, address()));
            return new OnGpu(
                    out.get(CortadoNative.C_POINTER, 0).address(),
                    stride.get(CortadoNative.C_LONG, 0));
        }
    }

    /** Bytes that the packed matrix occupies. */
    public long bytes() {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment out = call.allocate(CortadoNative.C_LONG);
            check(CortadoNative.ct_weights_bytes(out, address()));
            return out.get(CortadoNative.C_LONG, 0);
        }
    }

    @Override
    void destroy(MemorySegment open) {
        check(CortadoNative.ct_weights_destroy(open));
    }
}
