package io.cortado.model;

import io.cortado.device.DType;
import io.cortado.device.Device;
import io.cortado.device.Placement;
import io.cortado.device.ResourceStack;
import io.cortado.device.Staging;
import io.cortado.device.Weights;
import io.cortado.model.DecoderParts.Matrix;
import io.cortado.model.DecoderParts.Part;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Finds the tensors of the first layer behind a model's own, and packs them. */
final class MtpLoader {
    private final TensorSource source;
    private final DecoderShape shape;
    private final DecoderParts parts;
    private final int number;
    private final String layer;

    MtpLoader(TensorSource source, ModelConfig target) {
        this.source = source;
        shape = target.shape().draftShape();
        parts = new DecoderParts(shape);
        number = target.numLayers();
        layer = DecoderParts.layer(number);
        requireAll();
    }

    private Matrix projection() {
        Part part = new Part(layer + "eh_proj", shape.hiddenSize());
        return new Matrix(
                DecoderParts.Kind.FEATURES,
                Weights.Use.LINEAR,
                2L * shape.hiddenSize(),
                List.of(part));
    }

    private Matrix embedding() {
        Part part = new Part(layer + "embed_tokens", shape.vocabSize());
        return new Matrix(
                DecoderParts.Kind.EMBEDDING,
                Weights.Use.EMBEDDING,
                shape.hiddenSize(),
                List.of(part));
    }

    private Matrix head() {
        Part part = new Part(layer + "shared_head.head", shape.vocabSize());
        return new Matrix(
                DecoderParts.Kind.HEAD, Weights.Use.LINEAR, shape.hiddenSize(), List.of(part));
    }

    private List<Matrix> around() {
        return List.of(projection(), embedding(), head());
    }

    /** One error names all that is missing or has another shape. */
    private void requireAll() {
        Map<String, List<Long>> needs = new LinkedHashMap<>(TensorNeeds.ofLayer(shape, layer));
        for (Matrix matrix : around()) {
            Part part = matrix.parts().getFirst();
            needs.put(part.prefix() + ".weight", List.of(part.rows(), matrix.cols()));
        }
        for (String norm : List.of("enorm", "hnorm", "shared_head.norm")) {
            needs.put(layer + norm + ".weight", List.of((long) shape.hiddenSize()));
        }
        source.require(needs);
    }

    private boolean hasExperts() {
        return shape.layers().getFirst().hasExperts();
    }

    WeightPlan plan(Device device, DType dense) {
        List<Matrix> matrices = new ArrayList<>(around());
        matrices.addAll(parts.layer(number, hasExperts()));
        // The last norm is the shape's; those of embedding and feature are not.
        long vectors = shape.numVectorElements() + 2L * shape.hiddenSize();
        return WeightPlan.of(Placement.on(device), source, matrices, vectors, dense);
    }

    MtpWeights load(Device device, Staging staging, DType dense, ResourceStack owner) {
        WeightLoader loader =
                new WeightLoader(Placement.on(device), staging, source, shape, dense, owner);
        int hidden = shape.hiddenSize();
        DecoderWeights decoder =
                new DecoderWeights(
                        loader.matrix(embedding()),
                        List.of(
                                loader.layer(
                                        parts, layer, hasExperts() ? number : WeightLoader.DENSE)),
                        loader.norm(layer + "shared_head.norm", hidden),
                        loader.matrix(head()));
        return new MtpWeights(
                decoder,
                loader.norm(layer + "enorm", hidden),
                loader.norm(layer + "hnorm", hidden),
                loader.matrix(projection()));
    }
}
