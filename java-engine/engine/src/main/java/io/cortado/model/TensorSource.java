package io.cortado.model;

import io.cortado.device.DType;
import io.cortado.device.Device;
import io.cortado.device.Weights;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Where weights come from. */
interface TensorSource extends AutoCloseable {
    /**
     * Opens a model's folder or GGUF file.
     *
     * @param dense what quantised weights become that must be taken apart
     * @param dummyWeights random weights instead, of whatever shape is asked for
     */
    static TensorSource open(
            Device device, Path model, ModelConfig config, DType dense, boolean dummyWeights) {
        TensorSource whole = openWhole(device, model, config, dense, dummyWeights);
        return config.shard().isWhole()
                ? whole
                : new ShardTensors(whole, config.whole(), config.shape());
    }

    private static TensorSource openWhole(
            Device device, Path model, ModelConfig config, DType dense, boolean dummyWeights) {
        if (dummyWeights) {
            return new DummyTensors(device);
        }
        if (GgufModel.isGguf(model)) {
            return new GgufTensors(model);
        }
        DecoderShape shape = config.whole();
        TensorSource stored = stored(model, config);
        return shape.latent() == null
                ? stored
                : new LatentTensors(stored, shape.latent(), shape.numQHeads(), dense);
    }

    private static TensorSource stored(Path model, ModelConfig config) {
        Checkpoint checkpoint = Checkpoint.open(model);
        Quantization quantization = config.quantization();
        if (quantization != null) {
            return new QuantizedTensors(checkpoint, quantization);
        }
        DecoderShape.Experts experts = config.whole().experts();
        return experts == null ? checkpoint : new FusedExperts(checkpoint, experts);
    }

    /** The tensor of this name, which has this shape, or an error that names both. */
    Tensor take(String name, long... shape);

    /** The matrix of this name [rows][cols] as it is stored, or an error that names both. */
    Weights.Part matrix(String name, long rows, long cols);

    /**
     * What {@link #matrix} would give, without its numbers: known from names, shapes and types, and
     * at most the index of a matrix's columns.
     */
    Weights.Shape shapeOf(String name, long rows, long cols);

    /** Whether two matrices of this shape are stored as the same bytes; reads both. */
    default boolean areEqual(String one, String other, long rows, long cols) {
        if (!shapeOf(one, rows, cols).equals(shapeOf(other, rows, cols))) {
            return false;
        }
        Weights.Part first = matrix(one, rows, cols);
        Weights.Part second = matrix(other, rows, cols);
        boolean areEqual =
                first.scales() == null
                        && second.scales() == null
                        && first.data().mismatch(second.data()) < 0;
        release();
        return areEqual;
    }

    /** Norms are stored with what their family adds to them already added. */
    default boolean normsHoldOffset() {
        return false;
    }

    /** Of all tensors, as they are stored. */
    long bytes();

    /**
     * Refuses in one error all of these tensors that are missing or have another shape; a source
     * that makes or converts its tensors has nothing to say yet.
     *
     * @param shapes shapes by name
     */
    default void require(Map<String, List<Long>> shapes) {}

    /** What was taken so far is packed: its memory may go. */
    void release();

    /**
     * Refuses tensors that nobody took, but for the optional ones.
     *
     * @param optional names, or beginnings of names that end in a dot
     */
    void requireAllTaken(Set<String> optional);

    @Override
    void close();
}
