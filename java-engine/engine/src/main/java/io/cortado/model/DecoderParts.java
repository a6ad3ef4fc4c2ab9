package io.cortado.model;

import io.cortado.device.ExpertId;
import io.cortado.device.Weights;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** What of a decoder is stacked into one matrix, by the names that its tensors are stored under. */
final class DecoderParts {
    /** A matrix [rows][columns of the whole] and the prefix of its tensors' names. */
    record Part(String prefix, long rows) {}

    /** What a matrix is multiplied with. */
    enum Kind {
        /** Looked up alone; a tied one is a {@link #HEAD}. */
        EMBEDDING,
        QKV,
        OUTPUT,
        GATE_UP,
        DOWN,
        /** Of all tokens. */
        ROUTER,
        /** Of the tokens that have chosen its expert. */
        EXPERT,
        HEAD,
        /** Of a draft head: what it makes of the target's states. */
        FEATURES
    }

    /**
     * The parts stacked by rows.
     *
     * @param expert whose it is; null: of all tokens
     */
    record Matrix(
            Kind kind, Weights.Use use, long cols, List<Part> parts, @Nullable ExpertId expert) {
        Matrix(Kind kind, Weights.Use use, long cols, List<Part> parts) {
            this(kind, use, cols, parts, null);
        }

        long rows() {
            return parts.stream().mapToLong(Part::rows).sum();
        }
    }

    /** After the attention's prefix: what {@link LatentTensors} makes of {@code kv_b_proj}. */
    static final String K_UP = "kv_b_proj.k_up";

    static final String V_UP = "kv_b_proj.v_up";

    /** After the attention's prefix. */
    static final String SINKS = "sinks";

    /** After the router's prefix. */
    static final String CORRECTION = "e_score_correction_bias";

    private final DecoderShape shape;
    private final long attentionCols;

    DecoderParts(DecoderShape shape) {
        this(shape, shape.hiddenSize());
    }

    /**
     * @param attentionCols columns of what attention reads
     */
    DecoderParts(DecoderShape shape, long attentionCols) {
        this.shape = shape;
        this.attentionCols = attentionCols;
    }

    static String layer(int i) {
        return "model.layers." + i + ".";
    }

    /** With tied embeddings it is the head too. */
    Matrix embedding() {
        boolean tied = shape.tiedEmbeddings();
        return new Matrix(
                tied ? Kind.HEAD : Kind.EMBEDDING,
                tied ? Weights.Use.LINEAR : Weights.Use.EMBEDDING,
                shape.hiddenSize(),
                List.of(new Part("model.embed_tokens", shape.vocabSize())));
    }

    /** Where embeddings are not tied. */
    Matrix head() {
        return linear(Kind.HEAD, shape.hiddenSize(), new Part("lm_head", shape.headSize()));
    }

    /**
     * @param at the layer's prefix
     */
    Matrix qkv(String at) {
        String in = at + "self_attn.";
        DecoderShape.Latent latent = shape.latent();
        if (latent != null) {
            return linear(
                    Kind.QKV,
                    attentionCols,
                    new Part(in + firstQuery(latent), shape.firstQuerySize()),
                    new Part(in + "kv_a_proj_with_mqa", latent.keyDim()));
        }
        if (shape.fusion().qkv()) {
            return linear(Kind.QKV, attentionCols, new Part(in + "qkv_proj", shape.qkvSize()));
        }
        return linear(
                Kind.QKV,
                attentionCols,
                new Part(in + "q_proj", shape.qSize()),
                new Part(in + "k_proj", shape.kvSize()),
                new Part(in + "v_proj", shape.kvSize()));
    }

    static String firstQuery(DecoderShape.Latent latent) {
        return latent.queryRank() > 0 ? "q_a_proj" : "q_proj";
    }

    /** Of latent attention, where queries have two projections: the second. */
    Matrix queryUp(String at, DecoderShape.Latent latent) {
        long rows = (long) shape.numQHeads() * latent.queryDim();
        return linear(Kind.QKV, latent.queryRank(), new Part(at + "self_attn.q_b_proj", rows));
    }

    /** Of latent attention, per head: from queries to latent queries. */
    Matrix keyUp(String at, DecoderShape.Latent latent) {
        Part part = new Part(at + "self_attn." + K_UP, (long) shape.numQHeads() * latent.rank());
        return linear(Kind.QKV, latent.nopeDim(), part);
    }

    /** Of latent attention, per head: from latents to values. */
    Matrix valueUp(String at, DecoderShape.Latent latent) {
        Part part = new Part(at + "self_attn." + V_UP, shape.outputSize());
        return linear(Kind.OUTPUT, latent.rank(), part);
    }

    Matrix output(String at) {
        Part part = new Part(at + "self_attn.o_proj", shape.hiddenSize());
        return linear(Kind.OUTPUT, shape.outputSize(), part);
    }

    Matrix router(String at) {
        DecoderShape.Experts experts = experts();
        return linear(
                Kind.ROUTER,
                shape.hiddenSize(),
                new Part(experts.names().router(at), experts.shape().numExperts()));
    }

    /** Gate, up and down. */
    List<Matrix> expert(ExpertId expert) {
        DecoderShape.Experts experts = experts();
        ExpertNames names = experts.names();
        String in = names.expert(layer(expert.layer()), expert.number());
        long inner = experts.shape().innerSize();
        long hidden = shape.hiddenSize();
        return List.of(
                ofExpert(expert, hidden, new Part(in + names.gate(), inner)),
                ofExpert(expert, hidden, new Part(in + names.up(), inner)),
                ofExpert(expert, inner, new Part(in + names.down(), hidden)));
    }

    private static Matrix ofExpert(ExpertId expert, long cols, Part part) {
        return new Matrix(Kind.EXPERT, Weights.Use.EXPERT, cols, List.of(part), expert);
    }

    Matrix sharedGateUp(String at) {
        DecoderShape.Experts experts = experts();
        long inner = experts.sharedSize();
        return linear(
                Kind.GATE_UP,
                shape.hiddenSize(),
                new Part(experts.names().sharedExpert(at, "gate_proj"), inner),
                new Part(experts.names().sharedExpert(at, "up_proj"), inner));
    }

    Matrix sharedDown(String at) {
        DecoderShape.Experts experts = experts();
        Part part = new Part(experts.names().sharedExpert(at, "down_proj"), shape.hiddenSize());
        return linear(Kind.DOWN, experts.sharedSize(), part);
    }

    Matrix sharedGate(String at) {
        Part part = new Part(experts().names().sharedGate(at), 1);
        return linear(Kind.ROUTER, shape.hiddenSize(), part);
    }

    private DecoderShape.Experts experts() {
        return Objects.requireNonNull(shape.experts());
    }

    Matrix gateUp(String at) {
        String in = at + "mlp.";
        long inner = shape.intermediateSize();
        long hidden = shape.hiddenSize();
        if (shape.fusion().gateUp()) {
            return linear(Kind.GATE_UP, hidden, new Part(in + "gate_up_proj", 2 * inner));
        }
        return linear(
                Kind.GATE_UP,
                hidden,
                new Part(in + "gate_proj", inner),
                new Part(in + "up_proj", inner));
    }

    Matrix down(String at) {
        Part part = new Part(at + "mlp.down_proj", shape.hiddenSize());
        return linear(Kind.DOWN, shape.intermediateSize(), part);
    }

    private static Matrix linear(Kind kind, long cols, Part... parts) {
        return new Matrix(kind, Weights.Use.LINEAR, cols, List.of(parts));
    }

    /** All of them, in the order in which they are loaded. */
    List<Matrix> all() {
        List<Matrix> all = new ArrayList<>();
        all.add(embedding());
        for (int i = 0; i < shape.numLayers(); i++) {
            all.addAll(layer(i, shape.layers().get(i).hasExperts()));
        }
        if (!shape.tiedEmbeddings()) {
            all.add(head());
        }
        return all;
    }

    List<Matrix> layer(int number, boolean hasExperts) {
        String at = layer(number);
        List<Matrix> all = new ArrayList<>();
        all.add(qkv(at));
        all.addAll(latent(at));
        all.add(output(at));
        all.addAll(mlp(number, hasExperts));
        return all;
    }

    private List<Matrix> latent(String at) {
        DecoderShape.Latent latent = shape.latent();
        if (latent == null) {
            return List.of();
        }
        Matrix keyUp = keyUp(at, latent);
        Matrix valueUp = valueUp(at, latent);
        return latent.queryRank() > 0
                ? List.of(queryUp(at, latent), keyUp, valueUp)
                : List.of(keyUp, valueUp);
    }

    private List<Matrix> mlp(int layer, boolean hasExperts) {
        String at = layer(layer);
        DecoderShape.Experts experts = shape.experts();
        if (experts == null || !hasExperts) {
            return List.of(gateUp(at), down(at));
        }
        List<Matrix> all = new ArrayList<>();
        all.add(router(at));
        for (int i = 0; i < experts.shape().numExperts(); i++) {
            all.addAll(expert(new ExpertId(layer, i)));
        }
        if (experts.sharedSize() > 0) {
            all.add(sharedGateUp(at));
            all.add(sharedDown(at));
        }
        if (experts.hasSharedGate()) {
            all.add(sharedGate(at));
        }
        return all;
    }
}
