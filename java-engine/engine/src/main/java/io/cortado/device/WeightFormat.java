package io.cortado.device;

import static io.cortado.device.NativeException.check;

import io.cortado.bindings.CortadoNative;
import io.cortado.bindings.NativeLibrary;
import java.lang.foreign.MemorySegment;

/**
 * How the numbers of a matrix are stored: the ABI's {@code ct_weights_format}, which tells what
 * each is and which stay quantised in memory. The last three are for {@link #dequantize} only.
 */
public enum WeightFormat {
    F32(CortadoNative.CT_FORMAT_F32(), 1, 4),
    BF16(CortadoNative.CT_FORMAT_BF16(), 1, 2),
    F16(CortadoNative.CT_FORMAT_F16(), 1, 2),
    F8_E4M3(CortadoNative.CT_FORMAT_F8_E4M3(), 1, 1),
    INT4(CortadoNative.CT_FORMAT_INT4(), 2, 1),
    Q4_0(CortadoNative.CT_FORMAT_Q4_0(), 32, 18),
    Q4_1(CortadoNative.CT_FORMAT_Q4_1(), 32, 20),
    Q5_0(CortadoNative.CT_FORMAT_Q5_0(), 32, 22),
    Q5_1(CortadoNative.CT_FORMAT_Q5_1(), 32, 24),
    Q8_0(CortadoNative.CT_FORMAT_Q8_0(), 32, 34),
    Q2_K(CortadoNative.CT_FORMAT_Q2_K(), 256, 84),
    Q3_K(CortadoNative.CT_FORMAT_Q3_K(), 256, 110),
    Q4_K(CortadoNative.CT_FORMAT_Q4_K(), 256, 144),
    Q5_K(CortadoNative.CT_FORMAT_Q5_K(), 256, 176),
    Q6_K(CortadoNative.CT_FORMAT_Q6_K(), 256, 210),
    IQ4_NL(CortadoNative.CT_FORMAT_IQ4_NL(), 32, 18),
    IQ4_XS(CortadoNative.CT_FORMAT_IQ4_XS(), 256, 136),
    MXFP4(CortadoNative.CT_FORMAT_MXFP4(), 32, 17),
    IQ1_S(CortadoNative.CT_FORMAT_IQ1_S(), 256, 50),
    IQ1_M(CortadoNative.CT_FORMAT_IQ1_M(), 256, 56),
    IQ2_XXS(CortadoNative.CT_FORMAT_IQ2_XXS(), 256, 66),
    IQ2_XS(CortadoNative.CT_FORMAT_IQ2_XS(), 256, 74),
    IQ2_S(CortadoNative.CT_FORMAT_IQ2_S(), 256, 82),
    IQ3_XXS(CortadoNative.CT_FORMAT_IQ3_XXS(), 256, 98),
    IQ3_S(CortadoNative.CT_FORMAT_IQ3_S(), 256, 110),
    TQ1_0(CortadoNative.CT_FORMAT_TQ1_0(), 256, 54),
    TQ2_0(CortadoNative.CT_FORMAT_TQ2_0(), 256, 66),
    NVFP4(CortadoNative.CT_FORMAT_NVFP4(), 64, 36),
    F8_E5M2(CortadoNative.CT_FORMAT_F8_E5M2(), 1, 1),
    F8_E8M0(CortadoNative.CT_FORMAT_F8_E8M0(), 1, 1),
    F4_E2M1(CortadoNative.CT_FORMAT_F4_E2M1(), 2, 1);

    private final int code;
    private final int blockElements;
    private final int blockBytes;

    WeightFormat(int code, int blockElements, int blockBytes) {
        this.code = code;
        this.blockElements = blockElements;
        this.blockBytes = blockBytes;
    }

    /** Of a tensor of this type, unquantised. */
    public static WeightFormat of(DType dtype) {
        return switch (dtype) {
            case F32 -> F32;
            case BF16 -> BF16;
            case F16 -> F16;
            case F8_E4M3 -> F8_E4M3;
        };
    }

    int code() {
        return code;
    }

    /** Consecutive columns of a row that are stored together; rows are multiples of it. */
    public int blockElements() {
        return blockElements;
    }

    public int blockBytes() {
        return blockBytes;
    }

    /** Anything but F32, BF16 and F16. */
    public boolean isQuantized() {
        return compareTo(F16) > 0;
    }

    /** Stays quantised on the CPU, in a matrix that {@code ct_weights_create} keeps so. */
    public boolean isKept() {
        return isQuantized() && compareTo(MXFP4) <= 0;
    }

    /** Bytes of so many elements, a multiple of the block. */
    public long bytes(long elements) {
        if (elements < 0 || elements % blockElements != 0) {
            throw new IllegalArgumentException(
                    "elements must be a multiple of " + blockElements + ": elements=" + elements);
        }
        return Math.multiplyExact(elements / blockElements, (long) blockBytes);
    }

    /**
     * Writes the float32 values of all elements of {@code data} to {@code values}, exactly; scales
     * that lie beside the codes are not applied. Both are native memory, {@code values} aligned.
     */
    public void dequantize(MemorySegment values, MemorySegment data) {
        long elements = data.byteSize() / blockBytes * blockElements;
        if (values.byteSize() < 4 * elements) {
            throw new IllegalArgumentException(
                    "values must have room for "
                            + elements
                            + " floats: bytes="
                            + values.byteSize());
        }
        NativeLibrary.load();
        check(CortadoNative.ct_dequantize(values, data, elements, data.byteSize(), code));
    }
}
