package io.cortado.model;

import io.cortado.device.Weights;
import java.util.ArrayList;
import java.util.List;

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
        HEAD,
        /** Of a draft head: what it makes of the target's states. */
        FEATURES
    }

    /** The parts stacked by rows. */
    record Matrix(Kind kind, Weights.Use use, long cols, List<Part> parts) {
        long rows() {
            return parts.stream().mapToLong(Part::rows).sum();
        }
    }

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
        return linear(Kind.HEAD, shape.hiddenSize(), new Part("lm_head", shape.vocabSize()));
    }

    /**
     * @param at the layer's prefix
     */
    Matrix qkv(String at) {
        String in = at + "self_attn.";
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

    Matrix output(String at) {
        Part part = new Part(at + "self_attn.o_proj", shape.hiddenSize());
        return linear(Kind.OUTPUT, shape.qSize(), part);
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
            String at = layer(i);
            all.addAll(List.of(qkv(at), output(at), gateUp(at), down(at)));
        }
        if (!shape.tiedEmbeddings()) {
            all.add(head());
        }
        return all;
    }
}
