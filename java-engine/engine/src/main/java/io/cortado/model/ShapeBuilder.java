package io.cortado.model;

import io.cortado.device.Activation;
import io.cortado.device.NormKind;
import io.cortado.model.DecoderShape.NormPlaces;
import io.cortado.model.DecoderShape.QkNorm;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.function.IntPredicate;
import org.jspecify.annotations.Nullable;

/**
 * Makes a {@link DecoderShape}: starts with what Llama has and the sizes that all families name
 * alike; a family says what it has otherwise.
 */
final class ShapeBuilder {
    private final ConfigJson config;
    private final int hidden;
    private final int numLayers;
    private final int numQHeads;
    private final int numKvHeads;
    private final int headDim;
    private final DecoderShape.@Nullable Latent latent;

    private NormKind norm = NormKind.RMS;
    private String epsKey = "rms_norm_eps";
    private double epsByDefault = 1e-6;
    private float normOffset;
    private NormPlaces places =
            new NormPlaces("input_layernorm", null, "post_attention_layernorm", null);
    private QkNorm qkNorm = QkNorm.NONE;
    private float attentionScale;
    private float attentionSoftCap;
    private DecoderShape.Biases biases = new DecoderShape.Biases(false, false, false);
    private DecoderShape.Fusion fusion = new DecoderShape.Fusion(false, false);
    private boolean isParallel;
    private String vocabularyKey = "vocab_size";
    private String activationKey = "hidden_act";
    private Activation activation = Activation.SILU;
    private float embeddingMultiplier = 1;
    private float residualMultiplier = 1;
    private float logitMultiplier = 1;
    private float logitSoftCap;
    private boolean tiedByDefault;
    private boolean hasSinks;
    private int numDraftLayers;
    private DecoderShape.@Nullable Experts experts;
    private IntPredicate isSparse = layer -> true;
    private @Nullable List<Integer> windows;
    private @Nullable List<Rope> ropes;

    ShapeBuilder(ConfigJson config) {
        this(config, null);
    }

    /**
     * @param latent what all heads share; null: they have keys and values of their own
     */
    ShapeBuilder(ConfigJson config, DecoderShape.@Nullable Latent latent) {
        this.config = config;
        this.latent = latent;
        hidden = config.integer("hidden_size", 1, 1 << 16);
        numLayers = config.integer("num_hidden_layers", 1, 1024);
        numQHeads = config.integer("num_attention_heads", 1, 1024);
        int kvHeads = config.integer("num_key_value_heads", 1, 1024, numQHeads);
        numKvHeads = latent == null ? kvHeads : 1;
        if (latent != null && kvHeads != numQHeads) {
            throw ModelException.unsupported(
                    "%s: num_key_value_heads must be num_attention_heads here: %d, %d"
                            .formatted(config.where(), kvHeads, numQHeads));
        }
        if (numQHeads % numKvHeads != 0) {
            throw ModelException.invalid(
                    "%s: num_attention_heads must be a multiple of num_key_value_heads: %d, %d"
                            .formatted(config.where(), numQHeads, numKvHeads));
        }
        headDim = latent == null ? headDim() : latent.keyDim();
        attentionScale = (float) (1 / Math.sqrt(headDim));
    }

    private int headDim() {
        if (!config.has("head_dim") && hidden % numQHeads != 0) {
            throw ModelException.invalid(
                    "%s: hidden_size must be a multiple of num_attention_heads: %d, %d"
                            .formatted(config.where(), hidden, numQHeads));
        }
        int dim = config.integer("head_dim", 1, 1 << 16, hidden / numQHeads);
        if (dim < 16 || dim > 256 || dim % 16 != 0) {
            throw ModelException.unsupported(
                    config.where()
                            + ": head_dim must be a multiple of 16 in [16, 256]: head_dim="
                            + dim);
        }
        return dim;
    }

    int numLayers() {
        return numLayers;
    }

    int hiddenSize() {
        return hidden;
    }

    /** The reader of rope's keys, for heads of this size. */
    RopeReader ropeReader() {
        return RopeReader.of(headDim);
    }

    ShapeBuilder norm(NormKind kind, String epsKey, double epsByDefault) {
        norm = kind;
        this.epsKey = epsKey;
        this.epsByDefault = epsByDefault;
        return this;
    }

    /** Added to every stored weight of a norm. */
    ShapeBuilder normOffset(float value) {
        normOffset = value;
        return this;
    }

    ShapeBuilder normPlaces(
            @Nullable String attentionIn,
            @Nullable String attentionOut,
            @Nullable String mlpIn,
            @Nullable String mlpOut) {
        places = new NormPlaces(attentionIn, attentionOut, mlpIn, mlpOut);
        return this;
    }

    ShapeBuilder qkNorm(QkNorm value) {
        qkNorm = value;
        return this;
    }

    /** Of q k^T, instead of 1 / sqrt(head_dim). */
    ShapeBuilder attentionScale(double value) {
        attentionScale = (float) value;
        return this;
    }

    /** Caps of attention scores and of logits; 0: none. */
    ShapeBuilder softCaps(double attention, double logits) {
        attentionSoftCap = (float) attention;
        logitSoftCap = (float) logits;
        return this;
    }

    ShapeBuilder biases(boolean qkv, boolean output, boolean mlp) {
        biases = new DecoderShape.Biases(qkv, output, mlp);
        return this;
    }

    ShapeBuilder fused(boolean qkv, boolean gateUp) {
        fusion = new DecoderShape.Fusion(qkv, gateUp);
        return this;
    }

    ShapeBuilder parallel() {
        isParallel = true;
        return this;
    }

    /** Of the rows of logits, instead of {@code vocab_size}. */
    ShapeBuilder vocabulary(String key) {
        vocabularyKey = key;
        return this;
    }

    ShapeBuilder activation(String key, Activation byDefault) {
        activationKey = key;
        activation = byDefault;
        return this;
    }

    ShapeBuilder multipliers(double embedding, double residual, double logits) {
        embeddingMultiplier = (float) embedding;
        residualMultiplier = (float) residual;
        logitMultiplier = (float) logits;
        return this;
    }

    ShapeBuilder tiedByDefault() {
        tiedByDefault = true;
        return this;
    }

    ShapeBuilder sinks() {
        hasSinks = true;
        return this;
    }

    /** Behind the decoder's layers, for drafts. */
    ShapeBuilder draftLayers(int count) {
        numDraftLayers = count;
        return this;
    }

    /** Of the layers that {@code isSparse} names; the others are dense. */
    ShapeBuilder experts(DecoderShape.Experts value, IntPredicate isSparse) {
        experts = value;
        this.isSparse = isSparse;
        return this;
    }

    /** Per layer; without, there are none and {@code layer_types} may only say so. */
    ShapeBuilder windows(List<Integer> perLayer) {
        windows = List.copyOf(perLayer);
        return this;
    }

    /** One for all layers; without, that of Llama. */
    ShapeBuilder rope(Rope all) {
        return ropes(Collections.nCopies(numLayers, all));
    }

    ShapeBuilder ropes(List<Rope> perLayer) {
        ropes = List.copyOf(perLayer);
        return this;
    }

    DecoderShape build() {
        return new DecoderShape(
                config.integer(vocabularyKey, 1, 1 << 24),
                hidden,
                config.integer("intermediate_size", 1, 1 << 20),
                numQHeads,
                numKvHeads,
                headDim,
                latent,
                hasSinks,
                experts,
                layers(),
                new DecoderShape.Norms(norm, eps(), normOffset, places, qkNorm),
                new DecoderShape.Scores(attentionScale, attentionSoftCap),
                biases,
                fusion,
                isParallel,
                activation(),
                new DecoderShape.Multipliers(
                        embeddingMultiplier, residualMultiplier, logitMultiplier, logitSoftCap),
                config.flag("tie_word_embeddings", tiedByDefault),
                numDraftLayers,
                Shard.WHOLE);
    }

    private List<DecoderShape.Layer> layers() {
        List<Integer> window = windows == null ? Windows.none(config, numLayers) : windows;
        List<Rope> rope =
                ropes == null ? Collections.nCopies(numLayers, ropeReader().read(config)) : ropes;
        List<DecoderShape.Layer> layers = new ArrayList<>();
        for (int i = 0; i < numLayers; i++) {
            layers.add(
                    new DecoderShape.Layer(
                            window.get(i), rope.get(i), experts != null && isSparse.test(i)));
        }
        return List.copyOf(layers);
    }

    private float eps() {
        return (float) config.number(epsKey, 0, 1, epsByDefault);
    }

    private Activation activation() {
        String name = config.text(activationKey);
        return switch (name) {
            case null -> activation;
            case "silu", "swish" -> Activation.SILU;
            case "gelu_pytorch_tanh", "gelu_new" -> Activation.GELU_TANH;
            default ->
                    throw ModelException.unsupported(
                            "%s: %s must be silu or gelu_pytorch_tanh here: %s=%s"
                                    .formatted(config.where(), activationKey, activationKey, name));
        };
    }
}
