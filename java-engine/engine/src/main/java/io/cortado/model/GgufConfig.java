package io.cortado.model;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * Says in the words of {@code config.json} what a GGUF file's keys and tensors say, so that each
 * family is defined once. What llama.cpp knows by heart and no key holds is here, with its source:
 * src/llama-model.cpp of llama.cpp, {@code load_hparams}.
 */
final class GgufConfig {
    private static final int MAX_LAYERS = 1024;
    private static final int MAX_HEADS = 1024;
    private static final int MAX_WIDTH = 1 << 16;
    private static final int MAX_INNER = 1 << 20;

    private final GgufKeys keys;
    private final GgufFamily family;
    private final Map<String, GgufFile.Stored> tensors;
    private final ObjectNode json = JsonNodeFactory.instance.objectNode();

    private GgufConfig(GgufKeys keys, GgufFamily family, Map<String, GgufFile.Stored> tensors) {
        this.keys = keys;
        this.family = family;
        this.tensors = tensors;
    }

    /** Refuses a key of the architecture that it does not understand. */
    static ObjectNode of(GgufFamily family, GgufKeys keys, Map<String, GgufFile.Stored> tensors) {
        GgufConfig config = new GgufConfig(keys, family, tensors);
        boolean hasExperts = config.hasExperts();
        config.sizes(hasExperts);
        if (hasExperts) {
            config.experts();
        }
        config.rope();
        if (family.isGemma()) {
            config.gemma();
        } else if (family == GgufFamily.GPT_OSS) {
            config.gptOss();
        } else {
            config.others();
        }
        config.constants();
        keys.refuseWhatNobodyUnderstood();
        return config.json;
    }

    private boolean hasExperts() {
        int experts = keys.integer("expert_count", 0, Integer.MAX_VALUE, 0);
        keys.integer("expert_used_count", 0, Integer.MAX_VALUE, 0);
        boolean isKnown = experts > 0 ? family.mayHaveExperts() : !family.mustHaveExperts();
        if (!isKnown) {
            throw ModelException.unsupported(
                    "%s must be %s in this architecture: %d"
                            .formatted(
                                    keys.full("expert_count"),
                                    experts > 0 ? "0" : "above 0",
                                    experts));
        }
        return experts > 0;
    }

    /**
     * llama.cpp softens all logits and renormalises the chosen in two of the families, and softens
     * the chosen alone in gpt-oss, which comes to the same (build_moe_ffn's arguments in llama.cpp,
     * qwen3moe.cpp and openai-moe-iswa.cpp).
     */
    private void experts() {
        int count = keys.integer("expert_count", 1, 512);
        json.put("num_local_experts", count);
        json.put("num_experts_per_tok", keys.integer("expert_used_count", 1, count));
        if (family != GgufFamily.GPT_OSS) {
            keys.require("expert_weights_norm", true);
        }
        keys.require("expert_weights_scale", 1);
        keys.require("expert_gating_func", family == GgufFamily.GPT_OSS ? 3 : 1);
        keys.require("expert_group_count", 1);
        keys.require("expert_shared_count", 0);
        int inner = json.path("intermediate_size").intValue();
        if (family == GgufFamily.QWEN3MOE) {
            json.put("moe_intermediate_size", expertSize(inner));
            json.put("norm_topk_prob", true);
        } else {
            keys.require("expert_feed_forward_length", inner);
        }
    }

    /** Files before the key have it in the tensors alone. */
    private int expertSize(int inner) {
        GgufFile.Stored gate = tensors.get("blk.0.ffn_gate_exps.weight");
        long rows = gate != null && gate.shape().size() == 3 ? gate.shape().get(1) : inner;
        int absent = (int) Math.min(rows, MAX_INNER);
        return keys.integer("expert_feed_forward_length", 1, MAX_INNER, absent);
    }

    private void sizes(boolean hasExperts) {
        json.putArray("architectures").add(family.modelClass(hasExperts));
        json.put("model_type", family.modelType(hasExperts));
        json.put("vocab_size", vocabSize());
        int hidden = keys.integer("embedding_length", 1, MAX_WIDTH);
        json.put("hidden_size", hidden);
        json.put("intermediate_size", keys.integer("feed_forward_length", 1, MAX_INNER));
        json.put("num_hidden_layers", keys.integer("block_count", 1, MAX_LAYERS));
        int heads = keys.integer("attention.head_count", 1, MAX_HEADS);
        json.put("num_attention_heads", heads);
        int kvHeads = keys.integer("attention.head_count_kv", 1, MAX_HEADS, heads);
        if (heads % kvHeads != 0) {
            throw ModelException.invalid(
                    "%s must be a multiple of %s: %d, %d"
                            .formatted(
                                    keys.full("attention.head_count"),
                                    keys.full("attention.head_count_kv"),
                                    heads,
                                    kvHeads));
        }
        json.put("num_key_value_heads", kvHeads);
        json.put("head_dim", headDim(hidden, heads));
        json.put(
                "max_position_embeddings",
                keys.integer("context_length", 1, ModelConfig.MAX_POSITIONS));
        json.put("rms_norm_eps", keys.number("attention.layer_norm_rms_epsilon", 0, 1));
        json.put("tie_word_embeddings", !tensors.containsKey("output.weight"));
    }

    private long vocabSize() {
        GgufFile.Stored embedding = tensors.get("token_embd.weight");
        if (embedding == null || embedding.shape().size() != 2) {
            throw ModelException.invalid("there is no token_embd.weight of two dimensions");
        }
        long rows = embedding.shape().getFirst();
        long said = keys.integer("vocab_size", 1, 1 << 24, (int) Math.min(rows, 1 << 24));
        Integer tokens = keys.metadata().length("tokenizer.ggml.tokens");
        if (said != rows) {
            throw ModelException.invalid(
                    "%s is %d and token_embd.weight has %d rows"
                            .formatted(keys.full("vocab_size"), said, rows));
        }
        if (tokens != null && tokens != rows) {
            throw ModelException.invalid(
                    "tokenizer.ggml.tokens has %d entries and token_embd.weight %d rows"
                            .formatted(tokens, rows));
        }
        return rows;
    }

    private int headDim(int hidden, int heads) {
        if (!keys.has("attention.key_length") && hidden % heads != 0) {
            throw ModelException.invalid(
                    "%s must be a multiple of %s: %d, %d"
                            .formatted(
                                    keys.full("embedding_length"),
                                    keys.full("attention.head_count"),
                                    hidden,
                                    heads));
        }
        int dim = keys.integer("attention.key_length", 1, MAX_WIDTH, hidden / heads);
        keys.require("attention.value_length", dim);
        int rotated = keys.integer("rope.dimension_count", 1, MAX_WIDTH, dim);
        if (rotated != dim) {
            json.put("partial_rotary_factor", (double) rotated / dim);
        }
        return dim;
    }

    private void rope() {
        json.put("rope_theta", keys.number("rope.freq_base", 1, 1e12, 10000));
        ObjectNode scaling = GgufRope.scaling(keys, tensors.get("rope_freqs.weight"));
        if (scaling != null && family == GgufFamily.GPT_OSS) {
            scaling.put("truncate", false); // as in config.json; llama.cpp rounds the ramp's ends
        }
        if (scaling != null) {
            json.set("rope_scaling", scaling);
        }
    }

    private void others() {
        json.put("hidden_act", "silu");
        boolean isMixtral = family == GgufFamily.LLAMA && json.has("num_local_experts");
        boolean isQwen3 = family == GgufFamily.QWEN3 || family == GgufFamily.QWEN3MOE;
        if (isQwen3 || family == GgufFamily.LLAMA && !isMixtral) {
            json.put("attention_bias", tensors.containsKey("blk.0.attn_q.bias"));
        }
        if (family == GgufFamily.LLAMA && !isMixtral) {
            json.put("mlp_bias", tensors.containsKey("blk.0.ffn_down.bias"));
        }
        int window = keys.integer("attention.sliding_window", 0, ModelConfig.MAX_POSITIONS, 0);
        if (window != 0 && window < json.path("max_position_embeddings").intValue()) {
            throw ModelException.unsupported(
                    "%s is not supported for this architecture: %d"
                            .formatted(keys.full("attention.sliding_window"), window));
        }
        keys.require("attention.scale", (float) (1 / Math.sqrt(json.path("head_dim").intValue())));
    }

    /** Its limit and the slope of its activation no key holds: they are the family's. */
    private void gptOss() {
        json.put("hidden_act", "silu");
        json.put("attention_bias", true);
        json.put(
                "sliding_window",
                keys.integer("attention.sliding_window", 1, ModelConfig.MAX_POSITIONS, 128));
        layerTypes(true);
        keys.require("attention.scale", (float) (1 / Math.sqrt(json.path("head_dim").intValue())));
    }

    private void gemma() {
        boolean isThird = family == GgufFamily.GEMMA3;
        json.put("hidden_activation", "gelu_pytorch_tanh");
        json.put("query_pre_attn_scalar", queryScalar());
        int window =
                keys.integer(
                        "attention.sliding_window",
                        0,
                        ModelConfig.MAX_POSITIONS,
                        isThird ? 0 : 4096);
        if (window > 0) {
            json.put("sliding_window", window);
        } else {
            json.putNull("sliding_window");
        }
        layerTypes(window > 0);
        // A file without the caps of Gemma 2 is older than their keys.
        cap("attn_logit_softcapping", isThird ? 0 : 50);
        cap("final_logit_softcapping", isThird ? 0 : 30);
        if (isThird) {
            json.put("rope_local_base_freq", keys.number("rope.freq_base_swa", 1, 1e12, 10000));
        }
    }

    private void cap(String key, double absent) {
        double cap = keys.number(key, 0, 1e6, absent);
        if (cap > 0) {
            json.put(key, cap);
        } else {
            json.putNull(key);
        }
    }

    /**
     * The models of 27B alone scale by the width a head would have; by llama.cpp's layer counts.
     */
    private double queryScalar() {
        int layers = json.path("num_hidden_layers").intValue();
        int dim = json.path("head_dim").intValue();
        boolean isLarge = layers == (family == GgufFamily.GEMMA2 ? 46 : 62);
        int hidden = json.path("hidden_size").intValue();
        int heads = json.path("num_attention_heads").intValue();
        double scalar = isLarge ? (double) hidden / heads : dim;
        double scale = keys.number("attention.scale", 1e-6, 1e6, 0);
        return scale == 0 ? scalar : 1 / (scale * scale);
    }

    /** Each second layer of Gemma 2 and gpt-oss and each sixth of Gemma 3 sees everything. */
    private void layerTypes(boolean isWindowed) {
        int layers = json.path("num_hidden_layers").intValue();
        List<Boolean> sliding = new ArrayList<>();
        String key = "attention.sliding_window_pattern";
        @Nullable List<Boolean> given = pattern(key);
        int period = given != null ? 1 : keys.integer(key, 1, MAX_LAYERS, usualPeriod());
        for (int layer = 0; layer < layers; layer++) {
            boolean isLocal = given != null ? given.get(layer) : (layer + 1) % period != 0;
            sliding.add(isWindowed && isLocal);
        }
        ArrayNode types = json.putArray("layer_types");
        sliding.forEach(s -> types.add(s ? "sliding_attention" : "full_attention"));
    }

    private int usualPeriod() {
        return family == GgufFamily.GEMMA3 ? 6 : 2;
    }

    /** A bool for each layer, or null if the key is absent or a period. */
    private @Nullable List<Boolean> pattern(String key) {
        if (!keys.has(key) || !keys.metadata().isArray(keys.full(key))) {
            return null;
        }
        List<Boolean> pattern = keys.metadata().flags(keys.full(key));
        int layers = json.path("num_hidden_layers").intValue();
        if (pattern == null || pattern.size() != layers) {
            throw ModelException.invalid(
                    "%s must have %d entries, one a layer: %s"
                            .formatted(keys.full(key), layers, pattern));
        }
        return pattern;
    }

    /** What is so in every model that is built here. */
    private void constants() {
        keys.require("attention.causal", true);
        keys.require("use_parallel_residual", false);
        keys.require("logit_scale", 1);
        keys.require("residual_scale", 1);
        keys.require("embedding_scale", 1);
        // Which file the weights were converted from, and how an embedding server pools.
        keys.has("tensor_data_layout");
        keys.has("pooling_type");
    }
}
