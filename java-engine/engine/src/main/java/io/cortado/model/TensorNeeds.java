package io.cortado.model;

import io.cortado.moe.Routing;
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
            needs.layer(DecoderParts.layer(i), shape.layers().get(i).hasExperts());
        }
        needs.vector("model.norm.weight", shape.hiddenSize());
        if (!shape.tiedEmbeddings()) {
            needs.matrix("lm_head", shape.headSize(), shape.hiddenSize());
        }
        return needs.shapes;
    }

    /** Of a shape's one layer, whatever stands around it. */
    static Map<String, List<Long>> ofLayer(DecoderShape shape, String at) {
        var needs = new TensorNeeds(shape);
        needs.layer(at, shape.layers().getFirst().hasExperts());
        return needs.shapes;
    }

    private void layer(String at, boolean hasExperts) {
        long hidden = shape.hiddenSize();
        attention(at + "self_attn.");
        DecoderShape.Experts experts = shape.experts();
        if (experts != null && hasExperts) {
            experts(at, experts);
        } else {
            mlp(at + "mlp.");
        }
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
        DecoderShape.Latent latent = shape.latent();
        if (latent != null) {
            latent(at, latent);
        } else if (shape.fusion().qkv()) {
            linear(at + "qkv_proj", shape.qkvSize(), shape.hiddenSize(), bias);
        } else {
            linear(at + "q_proj", shape.qSize(), shape.hiddenSize(), bias);
            linear(at + "k_proj", shape.kvSize(), shape.hiddenSize(), bias);
            linear(at + "v_proj", shape.kvSize(), shape.hiddenSize(), bias);
        }
        linear(at + "o_proj", shape.hiddenSize(), shape.outputSize(), shape.biases().output());
        if (shape.hasSinks()) {
            vector(at + DecoderParts.SINKS, shape.numQHeads());
        }
    }

    private void latent(String at, DecoderShape.Latent latent) {
        long heads = shape.numQHeads();
        long hidden = shape.hiddenSize();
        matrix(at + DecoderParts.firstQuery(latent), shape.firstQuerySize(), hidden);
        matrix(at + "kv_a_proj_with_mqa", latent.keyDim(), hidden);
        vector(at + "kv_a_layernorm.weight", latent.rank());
        if (latent.queryRank() > 0) {
            vector(at + "q_a_layernorm.weight", latent.queryRank());
            matrix(at + "q_b_proj", heads * latent.queryDim(), latent.queryRank());
        }
        matrix(at + DecoderParts.K_UP, heads * latent.rank(), latent.nopeDim());
        matrix(at + DecoderParts.V_UP, shape.outputSize(), latent.rank());
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

    private void experts(String at, DecoderShape.Experts experts) {
        ExpertNames names = experts.names();
        Routing routing = experts.shape().routing();
        long hidden = shape.hiddenSize();
        long inner = experts.shape().innerSize();
        boolean bias = experts.shape().hasBiases();
        String router = names.router(at);
        linear(router, routing.numExperts(), hidden, routing.hasBias());
        if (routing.hasCorrection()) {
            vector(router + "." + DecoderParts.CORRECTION, routing.numExperts());
        }
        for (int i = 0; i < routing.numExperts(); i++) {
            String expert = names.expert(at, i);
            linear(expert + names.gate(), inner, hidden, bias);
            linear(expert + names.up(), inner, hidden, bias);
            linear(expert + names.down(), hidden, inner, bias);
        }
        long shared = experts.sharedSize();
        if (shared > 0) {
            linear(names.sharedExpert(at, "gate_proj"), shared, hidden, false);
            linear(names.sharedExpert(at, "up_proj"), shared, hidden, false);
            linear(names.sharedExpert(at, "down_proj"), hidden, shared, false);
        }
        if (experts.hasSharedGate()) {
            matrix(names.sharedGate(at), 1, hidden);
        }
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
