package io.cortado.model;

import io.cortado.device.WeightFormat;
import io.cortado.layout.LayoutModel;
import java.util.List;
import java.util.function.Predicate;

/** A model with experts as layouts over ranks see it. Windows of attention are not counted. */
public final class ModelLayout {
    private ModelLayout() {}

    /**
     * @param config of a model that has experts
     * @param weights as they will lie on a device
     */
    public static LayoutModel of(
            ModelConfig config, WeightPlan weights, Activations activations, KvType kvType) {
        DecoderShape shape = config.shape();
        DecoderShape.Experts experts = shape.experts();
        if (experts == null) {
            throw new IllegalArgumentException("a layout is of experts: " + config.architecture());
        }
        int layers = shape.numLayers();
        int sparse = shape.numExpertLayers();
        double dense = 3.0 * shape.hiddenSize() * shape.intermediateSize();
        List<WeightPlan.Matrix> all = weights.matrices();
        Predicate<DecoderParts.Kind> isMlp =
                kind -> kind == DecoderParts.Kind.GATE_UP || kind == DecoderParts.Kind.DOWN;
        Predicate<DecoderParts.Kind> isExpert = kind -> kind == DecoderParts.Kind.EXPERT;
        double ofMlps = elements(all, isMlp);
        DecoderShape.Latent latent = shape.latent();
        int keys = latent == null ? 2 * shape.headDim() : shape.headDim() + latent.rank();
        return new LayoutModel(
                config.architecture(),
                sparse,
                layers - sparse,
                shape.hiddenSize(),
                dense,
                elements(all, ModelLayout::isAttention) / layers,
                2.0 * shape.numQHeads() * keys,
                (double) config.kvBytesPerBlock(activations, kvType)
                        / DecoderState.BLOCK_SIZE
                        / layers,
                shape.numKvHeads(),
                experts.shape().numExperts(),
                experts.shape().topK(),
                experts.shape().innerSize(),
                (ofMlps - (layers - sparse) * dense) / sparse,
                shape.vocabSize(),
                bytesPerElement(all, isMlp.or(ModelLayout::isAttention)),
                bytesPerElement(all, isExpert),
                all.stream()
                        .filter(matrix -> isExpert.test(matrix.kind()))
                        .flatMap(matrix -> matrix.parts().stream())
                        .allMatch(part -> part.format() == WeightFormat.F8_E4M3));
    }

    private static boolean isAttention(DecoderParts.Kind kind) {
        return switch (kind) {
            case QKV, OUTPUT, ROUTER -> true;
            case EMBEDDING, GATE_UP, DOWN, EXPERT, HEAD, FEATURES -> false;
        };
    }

    private static double elements(
            List<WeightPlan.Matrix> matrices, Predicate<DecoderParts.Kind> counts) {
        return matrices.stream()
                .filter(matrix -> counts.test(matrix.kind()))
                .mapToDouble(matrix -> (double) matrix.rows() * matrix.cols())
                .sum();
    }

    private static double bytesPerElement(
            List<WeightPlan.Matrix> matrices, Predicate<DecoderParts.Kind> counts) {
        double bytes =
                matrices.stream()
                        .filter(matrix -> counts.test(matrix.kind()))
                        .mapToDouble(WeightPlan.Matrix::bytes)
                        .sum();
        return bytes / elements(matrices, counts);
    }
}
