package io.cortado.model;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The tensors that a decoder needs, by their published names: what {@link WeightLoader} will take,
 * known before anything is made, so that one error can name all that is not there.
 */
final class TensorNeeds {
    private final DecoderShape shape;
    private final Map<String, List<Long>> shapes = new LinkedHashMap<>();

    private TensorNeeds(DecoderShape shape) {
        this.shape = shape;
    }

    /** Shapes by name. */
    static Map<String, List<Long>> of(DecoderShape shape) {
        var needs = new TensorNeeds(shape);
        needs.matrix("model.embed_tokens", shape.vocabSize(), shape.hiddenSize());
        for (int i = 0; i < shape.numLayers(); i++) {
            needs.layer("model.layers." + i + ".");
        }
        needs.vector("model.norm.weight", shape.hiddenSize());
        if (!shape.tiedEmbeddings()) {
            needs.matrix("lm_head", shape.vocabSize(), shape.hiddenSize());
        }
        return needs.shapes;
    }

    private void layer(String at) {
        long hidden = shape.hiddenSize();
        attention(at + "self_attn.");
        mlp(at + "mlp.");
        DecoderShape.NormPlaces norms = shape.norms().places();
        norm(at, norms.attentionIn(), hidden);
        norm(at, norms.attentionOut(), hidden);
        norm(at, norms.mlpIn(), hidden);
        norm(at, norms.mlpOut(), hidden);
        if (shape.norms().qk() != DecoderShape.QkNorm.NONE) {
            norm(at, "self_attn.q_norm", shape.qNormSize());
            norm(at, "self_attn.k_norm", shape.kNormSize());
        }
    }

    private void attention(String at) {
        boolean bias = shape.biases().qkv();
        if (shape.fusion().qkv()) {
            linear(at + "qkv_proj", shape.qkvSize(), shape.hiddenSize(), bias);
        } else {
            linear(at + "q_proj", shape.qSize(), shape.hiddenSize(), bias);
            linear(at + "k_proj", shape.kvSize(), shape.hiddenSize(), bias);
            linear(at + "v_proj", shape.kvSize(), shape.hiddenSize(), bias);
        }
        linear(at + "o_proj", shape.hiddenSize(), shape.qSize(), shape.biases().output());
    }

    private void mlp(String at) {
        long inner = shape.intermediateSize();
        boolean bias = shape.biases().mlp();
        if (shape.fusion().gateUp()) {
            linear(at + "gate_up_proj", 2 * inner, shape.hiddenSize(), bias);
        } else {
            linear(at + "gate_proj", inner, shape.hiddenSize(), bias);
            linear(at + "up_proj", inner, shape.hiddenSize(), bias);
        }
        linear(at + "down_proj", shape.hiddenSize(), inner, bias);
    }

    private void linear(String prefix, long rows, long cols, boolean hasBias) {
        matrix(prefix, rows, cols);
        if (hasBias) {
            vector(prefix + ".bias", rows);
        }
    }

    private void norm(String at, @Nullable String name, long size) {
        if (name != null) {
            vector(at + name + ".weight", size);
        }
    }

    private void matrix(String prefix, long rows, long cols) {
        shapes.put(prefix + ".weight", List.of(rows, cols));
    }

    private void vector(String name, long size) {
        shapes.put(name, List.of(size));
    }
}
