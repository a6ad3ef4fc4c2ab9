package io.cortado.bench.llamacpp;

import io.cortado.api.EngineException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Sizes of a Qwen3 decoder. This family because both sides rotate halves in it: no weight has to be
 * permuted between the formats.
 *
 * @param experts null: each layer has an MLP
 */
record Qwen3Shape(
        int vocabulary,
        int hidden,
        int intermediate,
        int layers,
        int heads,
        int kvHeads,
        int headDim,
        int maxPositions,
        float eps,
        float ropeTheta,
        @Nullable Experts experts) {

    /**
     * Of every layer; only GGUF files of them are written.
     *
     * @param inner between an expert's matrices
     */
    record Experts(int count, int chosen, int inner) {}

    /** A tensor by its name on either side; a norm's weight is a vector. */
    record Tensor(String name, String ggufName, long[] shape) {
        boolean isNorm() {
            return shape.length == 1;
        }

        long rowElements() {
            return shape[shape.length - 1];
        }

        long elements() {
            long product = 1;
            for (long size : shape) {
                product *= size;
            }
            return product;
        }
    }

    static Qwen3Shape read(Path config) throws IOException {
        return of(JsonMapper.shared().readTree(config.toFile()), config.toString());
    }

    static Qwen3Shape of(JsonNode config, String where) {
        String type = config.path("model_type").asString("");
        boolean hasExperts = type.equals("qwen3_moe");
        if (!(type.equals("qwen3") || hasExperts)
                || config.path("tie_word_embeddings").asBoolean(false)) {
            throw new EngineException(
                    EngineException.Code.UNSUPPORTED_MODEL,
                    "the comparison writes qwen3 and qwen3_moe models with an output matrix of their own: file="
                            + where
                            + " model_type="
                            + type);
        }
        return new Qwen3Shape(
                size(config, "vocab_size", where),
                size(config, "hidden_size", where),
                size(config, "intermediate_size", where),
                size(config, "num_hidden_layers", where),
                size(config, "num_attention_heads", where),
                size(config, "num_key_value_heads", where),
                size(config, "head_dim", where),
                size(config, "max_position_embeddings", where),
                (float) config.path("rms_norm_eps").asDouble(1e-6),
                (float) config.path("rope_theta").asDouble(1e6),
                hasExperts
                        ? new Experts(
                                size(config, "num_experts", where),
                                size(config, "num_experts_per_tok", where),
                                size(config, "moe_intermediate_size", where))
                        : null);
    }

    private static int size(JsonNode config, String key, String where) {
        int value = config.path(key).asInt(0);
        if (value < 1) {
            throw new EngineException(
                    EngineException.Code.INVALID_MODEL,
                    key + " must be positive: file=" + where + " " + key + "=" + value);
        }
        return value;
    }

    /** All tensors, in the order in which both files hold them. */
    List<Tensor> tensors() {
        List<Tensor> all = new ArrayList<>();
        matrix(all, "model.embed_tokens", "token_embd", vocabulary, hidden);
        for (int i = 0; i < layers; i++) {
            String ours = "model.layers." + i + ".";
            String theirs = "blk." + i + ".";
            norm(all, ours + "input_layernorm", theirs + "attn_norm", hidden);
            matrix(all, ours + "self_attn.q_proj", theirs + "attn_q", heads * headDim, hidden);
            matrix(all, ours + "self_attn.k_proj", theirs + "attn_k", kvHeads * headDim, hidden);
            matrix(all, ours + "self_attn.v_proj", theirs + "attn_v", kvHeads * headDim, hidden);
            norm(all, ours + "self_attn.q_norm", theirs + "attn_q_norm", headDim);
            norm(all, ours + "self_attn.k_norm", theirs + "attn_k_norm", headDim);
            matrix(all, ours + "self_attn.o_proj", theirs + "attn_output", hidden, heads * headDim);
            norm(all, ours + "post_attention_layernorm", theirs + "ffn_norm", hidden);
            if (experts == null) {
                matrix(all, ours + "mlp.gate_proj", theirs + "ffn_gate", intermediate, hidden);
                matrix(all, ours + "mlp.up_proj", theirs + "ffn_up", intermediate, hidden);
                matrix(all, ours + "mlp.down_proj", theirs + "ffn_down", hidden, intermediate);
            } else {
                matrix(all, ours + "mlp.gate", theirs + "ffn_gate_inp", experts.count, hidden);
                stack(all, theirs + "ffn_gate_exps", experts.count, experts.inner, hidden);
                stack(all, theirs + "ffn_up_exps", experts.count, experts.inner, hidden);
                stack(all, theirs + "ffn_down_exps", experts.count, hidden, experts.inner);
            }
        }
        norm(all, "model.norm", "output_norm", hidden);
        matrix(all, "lm_head", "output", vocabulary, hidden);
        return all;
    }

    long parameters() {
        return tensors().stream().mapToLong(Tensor::elements).sum();
    }

    private static void matrix(List<Tensor> all, String name, String gguf, long rows, long cols) {
        all.add(new Tensor(name + ".weight", gguf + ".weight", new long[] {rows, cols}));
    }

    private static void stack(List<Tensor> all, String gguf, long count, long rows, long cols) {
        all.add(new Tensor(gguf + ".weight", gguf + ".weight", new long[] {count, rows, cols}));
    }

    private static void norm(List<Tensor> all, String name, String gguf, long size) {
        all.add(new Tensor(name + ".weight", gguf + ".weight", new long[] {size}));
    }
}
