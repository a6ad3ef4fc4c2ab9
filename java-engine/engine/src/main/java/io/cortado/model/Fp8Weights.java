package io.cortado.model;

import io.cortado.device.WeightFormat;
import io.cortado.device.Weights;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Matrices of F8_E4M3 with scales that multiply, one for the matrix, for each row, or for each
 * block; the last blocks of a matrix may be partial.
 *
 * @param block rows and columns of a block, or empty
 * @param scaleNames of the tensor that holds the scales: the first that is there
 */
record Fp8Weights(List<Long> block, List<String> scaleNames) implements Quantization {
    static Fp8Weights byBlock(List<Long> block, List<String> scaleNames) {
        return new Fp8Weights(block, scaleNames);
    }

    static Fp8Weights byMatrixOrRow(List<String> scaleNames) {
        return new Fp8Weights(List.of(), scaleNames);
    }

    /** A matrix of F8_E4M3 with its scales, each for so many rows and columns. */
    private record Stored(Tensor weight, Tensor scale, long blockRows, long blockCols) {}

    @Override
    public Weights.@Nullable Part matrix(
            QuantizedTensors tensors, String module, long rows, long cols) {
        Stored stored = stored(tensors, module, rows, cols);
        return stored == null
                ? null
                : new Weights.Part(
                        stored.weight.data(),
                        rows,
                        WeightFormat.F8_E4M3,
                        new Weights.Scales(
                                tensors.floats(stored.scale),
                                null,
                                stored.blockRows,
                                stored.blockCols));
    }

    @Override
    public Weights.@Nullable Shape shapeOf(
            QuantizedTensors tensors, String module, long rows, long cols) {
        Stored stored = stored(tensors, module, rows, cols);
        return stored == null
                ? null
                : new Weights.Shape(
                        rows, WeightFormat.F8_E4M3, stored.blockRows, stored.blockCols, false);
    }

    @Override
    public boolean isPacked(QuantizedTensors tensors, String module) {
        return false;
    }

    /** Null if it is stored as a plain weight. */
    private @Nullable Stored stored(QuantizedTensors tensors, String module, long rows, long cols) {
        Tensor weight = tensors.stored(module + ".weight", rows, cols);
        if (weight.type() == TensorType.F8_E5M2) {
            throw ModelException.unsupported(weight.name() + " is F8_E5M2: F8_E4M3 is supported");
        }
        if (weight.type() != TensorType.F8_E4M3) {
            return null;
        }
        Tensor scale = scale(tensors, module);
        // Of quantised activations, which nothing here has.
        tensors.pass(module + ".input_scale");
        if (block.isEmpty()) {
            return new Stored(weight, scale, isByRow(scale, rows) ? 1 : rows, cols);
        }
        long blockRows = block.getFirst();
        long blockCols = block.getLast();
        QuantizedTensors.requireShape(
                scale, Math.ceilDiv(rows, blockRows), Math.ceilDiv(cols, blockCols));
        return new Stored(weight, scale, blockRows, blockCols);
    }

    /** False: one scale serves the matrix. */
    private static boolean isByRow(Tensor scale, long rows) {
        List<Long> shape = scale.shape();
        if (shape.isEmpty() || shape.equals(List.of(1L))) {
            return false;
        }
        if (!shape.equals(List.of(rows)) && !shape.equals(List.of(rows, 1L))) {
            throw ModelException.invalid(
                    "%s must have shape [], [1], [%d] or [%d, 1]: %s"
                            .formatted(scale.name(), rows, rows, shape));
        }
        return true;
    }

    private Tensor scale(QuantizedTensors tensors, String module) {
        for (String name : scaleNames) {
            if (tensors.has(module + "." + name)) {
                return tensors.storedAnyhow(module + "." + name);
            }
        }
        throw ModelException.invalid("there is no " + module + "." + scaleNames.getFirst());
    }
}
