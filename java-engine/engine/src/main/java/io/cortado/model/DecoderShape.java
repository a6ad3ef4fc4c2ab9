package io.cortado.model;

import io.cortado.device.Activation;
import java.util.Collections;
import java.util.List;

/**
 * A dense decoder as data: what a family's file decides and {@link CausalLm} runs.
 *
 * @param windows per layer: 0, or the number of tokens that a token sees, itself included
 * @param qkvBias q, k and v projections have a bias
 * @param outputBias the attention's output projection has one
 * @param mlpBias gate, up and down have one
 * @param qkNorm each head of q and k is normed before rope
 * @param tiedEmbeddings the embedding is the head too
 */
record DecoderShape(
        int vocabSize,
        int hiddenSize,
        int intermediateSize,
        int numLayers,
        int numQHeads,
        int numKvHeads,
        int headDim,
        float normEps,
        Activation activation,
        List<Integer> windows,
        boolean qkvBias,
        boolean outputBias,
        boolean mlpBias,
        boolean qkNorm,
        boolean tiedEmbeddings) {

    /** The sizes that all families name alike; no biases, no norms on heads, no windows. */
    static DecoderShape read(ConfigJson c) {
        int hidden = c.integer("hidden_size", 1, 1 << 16);
        int layers = c.integer("num_hidden_layers", 1, 1024);
        int heads = c.integer("num_attention_heads", 1, 1024);
        int kvHeads = c.integer("num_key_value_heads", 1, 1024, heads);
        if (heads % kvHeads != 0) {
            throw ModelException.invalid(
                    c.where()
                            + ": num_attention_heads must be a multiple of num_key_value_heads: "
                            + heads
                            + ", "
                            + kvHeads);
        }
        return new DecoderShape(
                c.integer("vocab_size", 1, 1 << 24),
                hidden,
                c.integer("intermediate_size", 1, 1 << 20),
                layers,
                heads,
                kvHeads,
                headDim(c, hidden, heads),
                (float) c.number("rms_norm_eps", 0, 1, 1e-6),
                activation(c),
                Collections.nCopies(layers, 0),
                false,
                false,
                false,
                false,
                c.flag("tie_word_embeddings", false));
    }

    private static int headDim(ConfigJson c, int hidden, int heads) {
        if (!c.has("head_dim") && hidden % heads != 0) {
            throw ModelException.invalid(
                    "%s: hidden_size must be a multiple of num_attention_heads: %d, %d"
                            .formatted(c.where(), hidden, heads));
        }
        int dim = c.integer("head_dim", 1, 1 << 16, hidden / heads);
        if (dim < 16 || dim > 256 || dim % 16 != 0) {
            throw ModelException.unsupported(
                    c.where()
                            + ": head_dim must be a multiple of 16 in [16, 256]: head_dim="
                            + dim);
        }
        return dim;
    }

    private static Activation activation(ConfigJson c) {
        String name = c.text("hidden_act");
        return switch (name == null ? "silu" : name) {
            case "silu", "swish" -> Activation.SILU;
            case "gelu_pytorch_tanh", "gelu_new" -> Activation.GELU_TANH;
            default ->
                    throw ModelException.unsupported(
                            c.where()
                                    + ": hidden_act must be silu or gelu_pytorch_tanh here:"
                                    + " hidden_act="
                                    + name);
        };
    }

    DecoderShape withBiases(boolean qkv, boolean output, boolean mlp) {
        return new DecoderShape(
                vocabSize,
                hiddenSize,
                intermediateSize,
                numLayers,
                numQHeads,
                numKvHeads,
                headDim,
                normEps,
                activation,
                windows,
                qkv,
                output,
                mlp,
                qkNorm,
                tiedEmbeddings);
    }

    DecoderShape withQkNorm() {
        return new DecoderShape(
                vocabSize,
                hiddenSize,
                intermediateSize,
                numLayers,
                numQHeads,
                numKvHeads,
                headDim,
                normEps,
                activation,
                windows,
                qkvBias,
                outputBias,
                mlpBias,
                true,
                tiedEmbeddings);
    }

    DecoderShape withWindows(List<Integer> perLayer) {
        return new DecoderShape(
                vocabSize,
                hiddenSize,
                intermediateSize,
                numLayers,
                numQHeads,
                numKvHeads,
                headDim,
                normEps,
                activation,
                List.copyOf(perLayer),
                qkvBias,
                outputBias,
                mlpBias,
                qkNorm,
                tiedEmbeddings);
    }

    int qSize() {
        return numQHeads * headDim;
    }

    int kvSize() {
        return numKvHeads * headDim;
    }

    int qkvSize() {
        return qSize() + 2 * kvSize();
    }

    /** Weights, in elements: a tied head counts once. */
    long numParameters() {
        long hidden = hiddenSize;
        long attention = hidden * qkvSize() + hidden * qSize();
        long biases =
                (qkvBias ? qkvSize() : 0)
                        + (outputBias ? hidden : 0)
                        + (mlpBias ? 2L * intermediateSize + hidden : 0)
                        + (qkNorm ? 2L * headDim : 0);
        long layer = attention + 3 * hidden * intermediateSize + biases + 2 * hidden;
        long embeddings = (tiedEmbeddings ? 1 : 2) * hidden * vocabSize;
        return embeddings + numLayers * layer + hidden;
    }
}
