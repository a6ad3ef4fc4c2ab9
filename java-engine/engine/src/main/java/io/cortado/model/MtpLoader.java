package io.cortado.model;

import io.cortado.device.Buffer;
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

/**
 * Finds the tensors of the first layer behind a model's own, and packs them. Embedding and head,
 * which publishers store once more with the layer, are the target's where they are the same.
 */
final class MtpLoader {
    private static final String EMBEDDING = "model.embed_tokens.weight";
    private static final String HEAD = "lm_head.weight";

    private final TensorSource source;
    private final DecoderShape targetShape;
    private final DecoderShape shape;
    private final DecoderParts parts;
    private final int number;
    private final String layer;

    MtpLoader(TensorSource source, ModelConfig target) {
        this.source = source;
        targetShape = target.shape();
        shape = targetShape.draftShape();
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

    private boolean sharesEmbedding() {
        return isTargets(embedding(), EMBEDDING);
    }

    private boolean sharesHead() {
        return isTargets(head(), targetShape.tiedEmbeddings() ? EMBEDDING : HEAD);
    }

    private boolean isTargets(Matrix own, String targets) {
        Part part = own.parts().getFirst();
        return source.areEqual(part.prefix() + ".weight", targets, part.rows(), own.cols());
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
        List<Matrix> matrices = new ArrayList<>(List.of(projection()));
        if (!sharesEmbedding()) {
            matrices.add(embedding());
        }
        if (!sharesHead()) {
            matrices.add(head());
        }
        matrices.addAll(parts.layer(number, hasExperts()));
        // The last norm is the shape's; those of embedding and feature are not.
        long vectors = shape.numVectorElements() + 2L * shape.hiddenSize();
        return WeightPlan.of(Placement.on(device), source, matrices, vectors, dense);
    }

    MtpWeights load(
            Device device,
            Staging staging,
            DType dense,
            DecoderWeights target,
            ResourceStack owner) {
        WeightLoader loader =
                new WeightLoader(Placement.on(device), staging, source, shape, dense, owner);
        int hidden = shape.hiddenSize();
        boolean sharesEmbedding = sharesEmbedding();
        boolean sharesHead = sharesHead();
        Weights embedding = sharesEmbedding ? target.embedding() : loader.matrix(embedding());
        int expertLayer = hasExperts() ? number : WeightLoader.DENSE;
        DecoderWeights.Layer decoderLayer = loader.layer(parts, layer, expertLayer);
        Buffer norm = loader.norm(layer + "shared_head.norm", hidden);
        Weights head = sharesHead ? target.head() : loader.matrix(head());
        Buffer embeddingNorm = loader.norm(layer + "enorm", hidden);
        Buffer featureNorm = loader.norm(layer + "hnorm", hidden);
        Weights projection = loader.matrix(projection());
        long bytes =
                decoderLayer.bytes()
                        + norm.bytes()
                        + embeddingNorm.bytes()
                        + featureNorm.bytes()
                        + projection.bytes()
                        + (sharesEmbedding ? 0 : embedding.bytes())
                        + (sharesHead ? 0 : head.bytes());
        DecoderWeights decoder = new DecoderWeights(embedding, List.of(decoderLayer), norm, head);
        return new MtpWeights(decoder, embeddingNorm, featureNorm, projection, bytes);
    }
}
