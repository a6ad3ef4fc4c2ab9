package io.cortado.model;

import io.cortado.device.DType;
import io.cortado.device.Device;
import io.cortado.device.ExpertId;
import io.cortado.device.HotExperts;
import io.cortado.device.Placement;
import io.cortado.device.WeightFormat;
import io.cortado.device.Weights;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The weights of a decoder as they will lie on its devices, to the byte, before any of them is
 * read: from the configuration, and the names, shapes and types of the tensors.
 */
public final class WeightPlan {
    /** What is multiplied with so many numbers of one format. */
    record Stored(WeightFormat format, long elements) {}

    /** A matrix [rows][cols]. */
    record Matrix(DecoderParts.Kind kind, long rows, long cols, long bytes, List<Stored> parts) {}

    private final List<Matrix> matrices = new ArrayList<>();
    private final Map<WeightFormat, Long> bytesByFormat = new EnumMap<>(WeightFormat.class);
    private final Map<ExpertId, Long> expertBytes = new LinkedHashMap<>();
    private long onExpertDevice;

    private WeightPlan() {}

    /**
     * @param model folder or GGUF file
     */
    public static WeightPlan read(
            Placement placement,
            Path model,
            ModelConfig config,
            Activations activations,
            boolean dummyWeights) {
        DType dense = activations.dtype();
        try (TensorSource source =
                TensorSource.open(placement.device(), model, config, dense, dummyWeights)) {
            return of(placement, source, config.shape(), dense);
        }
    }

    /**
     * @param dense what quantised weights become where the device does not keep them
     */
    static WeightPlan of(
            Placement placement, TensorSource source, DecoderShape shape, DType dense) {
        source.require(TensorNeeds.of(shape));
        List<DecoderParts.Matrix> matrices = new DecoderParts(shape).all();
        WeightPlan plan = of(placement, source, matrices, shape.numVectorElements(), dense);
        if (placement.expertDevice() != null) {
            plan.onExpertDevice += 4 * shape.numExpertBiasElements();
            plan.addHot(placement.hot(), shape);
        }
        return plan;
    }

    /** The same of these matrices, and of so many elements of norms and biases. */
    static WeightPlan of(
            Placement placement,
            TensorSource source,
            List<DecoderParts.Matrix> matrices,
            long numVectorElements,
            DType dense) {
        WeightPlan plan = new WeightPlan();
        for (DecoderParts.Matrix matrix : matrices) {
            plan.add(placement, source, matrix, dense);
        }
        plan.count(WeightFormat.F32, 4 * numVectorElements);
        source.release();
        return plan;
    }

    /** Biases lie on both devices, and so does which experts are there. */
    private void addHot(HotExperts hot, DecoderShape shape) {
        DecoderShape.Experts experts = shape.experts();
        long layers = hot.ids().stream().map(ExpertId::layer).distinct().count();
        if (experts == null || layers == 0) {
            return;
        }
        long present = 4 * layers * experts.shape().numExperts();
        count(WeightFormat.F32, 2 * present + 4 * layers * experts.shape().numBiasElements());
        onExpertDevice += present;
    }

    private void add(
            Placement placement, TensorSource source, DecoderParts.Matrix matrix, DType dense) {
        ExpertId expert = matrix.expert();
        if (expert != null && !placement.holdsExperts()) {
            return;
        }
        Device device = expert == null ? placement.device() : placement.of(expert);
        long cols = matrix.cols();
        List<Weights.Shape> shapes =
                matrix.parts().stream()
                        .map(part -> source.shapeOf(part.prefix() + ".weight", part.rows(), cols))
                        .toList();
        long bytes = device.packedBytes(shapes, cols, dense, matrix.use());
        if (expert != null) {
            expertBytes.merge(expert, bytes, Long::sum);
            onExpertDevice += placement.isApart(expert) ? bytes : 0;
        }
        Map<WeightFormat, List<Weights.Shape>> byFormat = new LinkedHashMap<>();
        List<Stored> parts = new ArrayList<>();
        for (Weights.Shape shape : shapes) {
            WeightFormat format =
                    Weights.storedFormat(
                            shape, shapes, cols, dense, matrix.use(), device.hostReachesMemory());
            parts.add(new Stored(format, shape.rows() * cols));
            byFormat.computeIfAbsent(format, _ -> new ArrayList<>()).add(shape);
        }
        matrices.add(new Matrix(matrix.kind(), matrix.rows(), cols, bytes, List.copyOf(parts)));
        long left = bytes;
        int others = byFormat.size() - 1;
        for (Map.Entry<WeightFormat, List<Weights.Shape>> entry : byFormat.entrySet()) {
            // The last one has the rest, so that the sum is exact.
            long own =
                    others-- == 0
                            ? left
                            : device.packedBytes(entry.getValue(), cols, dense, matrix.use());
            count(entry.getKey(), own);
            left -= own;
        }
    }

    private void count(WeightFormat format, long bytes) {
        bytesByFormat.merge(format, bytes, Long::sum);
    }

    List<Matrix> matrices() {
        return matrices;
    }

    /** Of each expert's matrices, in the model's order. */
    public Map<ExpertId, Long> expertBytes() {
        return Collections.unmodifiableMap(expertBytes);
    }

    /** Of experts that are on a device of their own. */
    public long onExpertDevice() {
        return onExpertDevice;
    }

    /** Of all matrices and vectors, wherever they are. */
    public long bytes() {
        return bytesByFormat.values().stream().mapToLong(Long::longValue).sum();
    }

    /** The same by the format in which they lie on the device, by its name in lower case. */
    public Map<WeightFormat, Long> bytesByFormat() {
        return new EnumMap<>(bytesByFormat);
    }
}
