package io.cortado.model;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * Which tensors a model's GGUF file must hold, in which shapes, and what Hugging Face calls them.
 * Checked against the file before any is read.
 */
final class GgufTable {
    /** Tensors that a reader computes itself, or has read for the configuration. */
    private static final Set<String> NOT_WEIGHTS = Set.of("rope_freqs.weight");

    private static final int MAX_NAMED = 5;

    /**
     * One tensor.
     *
     * @param name in the file
     * @param alternatingHeads of whose rows the halves alternate; 0: rows are in order
     * @param expert whose matrix or bias this is, of all of them in one tensor
     */
    record Entry(String name, List<Long> shape, int alternatingHeads, @Nullable Integer expert) {
        /** Of the matrix or vector that is meant. */
        List<Long> ownShape() {
            return expert == null ? shape : shape.subList(1, shape.size());
        }
    }

    private final GgufFamily family;
    private final JsonNode config;
    private final Map<String, Entry> entries = new LinkedHashMap<>();

    private GgufTable(GgufFamily family, JsonNode config) {
        this.family = family;
        this.config = config;
    }

    /** Entries by Hugging Face's names. */
    static Map<String, Entry> of(GgufFamily family, JsonNode config) {
        GgufTable table = new GgufTable(family, config);
        table.fill();
        return table.entries;
    }

    private long size(String key) {
        return config.path(key).longValue();
    }

    private void add(String name, String published, long... shape) {
        add(name, published, 0, shape);
    }

    private void add(String name, String published, int alternatingHeads, long... shape) {
        List<Long> dimensions = new ArrayList<>();
        for (long dimension : shape) {
            dimensions.add(dimension);
        }
        entries.put(published, new Entry(name, List.copyOf(dimensions), alternatingHeads, null));
    }

    private void fill() {
        long hidden = size("hidden_size");
        long vocab = size("vocab_size");
        add("token_embd.weight", "model.embed_tokens.weight", vocab, hidden);
        add("output_norm.weight", "model.norm.weight", hidden);
        if (!config.path("tie_word_embeddings").asBoolean(false)) {
            add("output.weight", "lm_head.weight", vocab, hidden);
        }
        for (int i = 0; i < size("num_hidden_layers"); i++) {
            attention("blk." + i + ".", "model.layers." + i + ".");
            norms("blk." + i + ".", "model.layers." + i + ".");
            if (config.has("num_local_experts")) {
                experts("blk." + i + ".", "model.layers." + i + ".");
            } else {
                mlp("blk." + i + ".", "model.layers." + i + ".");
            }
        }
    }

    private void attention(String from, String to) {
        long hidden = size("hidden_size");
        long dim = size("head_dim");
        int qHeads = (int) size("num_attention_heads");
        int kvHeads = (int) size("num_key_value_heads");
        boolean alternates = family.alternatesHalves();
        boolean hasBias = config.path("attention_bias").asBoolean(false);
        boolean hasQkvBias = hasBias || family == GgufFamily.QWEN2;
        String attn = to + "self_attn.";
        linear(
                from + "attn_q",
                attn + "q_proj",
                alternates ? qHeads : 0,
                hasQkvBias,
                qHeads * dim,
                hidden);
        linear(
                from + "attn_k",
                attn + "k_proj",
                alternates ? kvHeads : 0,
                hasQkvBias,
                kvHeads * dim,
                hidden);
        linear(from + "attn_v", attn + "v_proj", 0, hasQkvBias, kvHeads * dim, hidden);
        linear(from + "attn_output", attn + "o_proj", 0, hasBias, hidden, qHeads * dim);
        if (family == GgufFamily.GPT_OSS) {
            add(from + "attn_sinks.weight", attn + DecoderParts.SINKS, (long) qHeads);
        }
        if (family.normsHeads()) {
            add(from + "attn_q_norm.weight", attn + "q_norm.weight", dim);
            add(from + "attn_k_norm.weight", attn + "k_norm.weight", dim);
        }
    }

    private void norms(String from, String to) {
        long hidden = size("hidden_size");
        add(from + "attn_norm.weight", to + "input_layernorm.weight", hidden);
        if (!family.isGemma()) {
            String name = family == GgufFamily.GPT_OSS ? "post_attention_norm" : "ffn_norm";
            add(from + name + ".weight", to + "post_attention_layernorm.weight", hidden);
            return;
        }
        add(from + "post_attention_norm.weight", to + "post_attention_layernorm.weight", hidden);
        add(from + "ffn_norm.weight", to + "pre_feedforward_layernorm.weight", hidden);
        add(from + "post_ffw_norm.weight", to + "post_feedforward_layernorm.weight", hidden);
    }

    private void mlp(String from, String to) {
        long hidden = size("hidden_size");
        long inner = size("intermediate_size");
        boolean hasBias = config.path("mlp_bias").asBoolean(false);
        linear(from + "ffn_gate", to + "mlp.gate_proj", 0, hasBias, inner, hidden);
        linear(from + "ffn_up", to + "mlp.up_proj", 0, hasBias, inner, hidden);
        linear(from + "ffn_down", to + "mlp.down_proj", 0, hasBias, hidden, inner);
    }

    private void experts(String from, String to) {
        ExpertNames names =
                switch (family) {
                    case LLAMA -> Mixtral.NAMES;
                    case GPT_OSS -> GptOss.NAMES;
                    default -> ExpertNames.USUAL;
                };
        long hidden = size("hidden_size");
        boolean isInnerOwn = config.has("moe_intermediate_size");
        long inner = size(isInnerOwn ? "moe_intermediate_size" : "intermediate_size");
        int count = (int) size("num_local_experts");
        boolean hasBias = family == GgufFamily.GPT_OSS;
        linear(from + "ffn_gate_inp", names.router(to), 0, hasBias, count, hidden);
        for (int i = 0; i < count; i++) {
            String expert = names.expert(to, i);
            expert(from + "ffn_gate_exps", expert + names.gate(), i, hasBias, count, inner, hidden);
            expert(from + "ffn_up_exps", expert + names.up(), i, hasBias, count, inner, hidden);
            expert(from + "ffn_down_exps", expert + names.down(), i, hasBias, count, hidden, inner);
        }
    }

    private void expert(
            String from, String to, int expert, boolean hasBias, long count, long rows, long cols) {
        List<Long> shape = List.of(count, rows, cols);
        entries.put(to + ".weight", new Entry(from + ".weight", shape, 0, expert));
        if (hasBias) {
            entries.put(to + ".bias", new Entry(from + ".bias", List.of(count, rows), 0, expert));
        }
    }

    private void linear(
            String from, String to, int alternatingHeads, boolean hasBias, long rows, long cols) {
        add(from + ".weight", to + ".weight", alternatingHeads, rows, cols);
        if (hasBias) {
            add(from + ".bias", to + ".bias", alternatingHeads, rows);
        }
    }

    /** Names all that is missing, of another shape, or unknown, in one error each. */
    static void check(Map<String, Entry> entries, Map<String, GgufFile.Stored> tensors) {
        Set<String> missing = new LinkedHashSet<>();
        Set<String> misshapen = new LinkedHashSet<>();
        Set<String> unknown = new TreeSet<>(tensors.keySet());
        for (Entry entry : entries.values()) {
            unknown.remove(entry.name);
            GgufFile.Stored stored = tensors.get(entry.name);
            if (stored == null) {
                missing.add(entry.name + " of shape " + entry.shape);
            } else if (!stored.shape().equals(entry.shape)) {
                misshapen.add(
                        "%s must have shape %s: %s"
                                .formatted(entry.name, entry.shape, stored.shape()));
            }
        }
        unknown.removeAll(NOT_WEIGHTS);
        if (!missing.isEmpty()) {
            throw ModelException.invalid("missing tensors: " + some(List.copyOf(missing)));
        }
        if (!misshapen.isEmpty()) {
            throw ModelException.invalid("tensor " + some(List.copyOf(misshapen)));
        }
        if (!unknown.isEmpty()) {
            throw ModelException.unsupported(
                    "tensors that the architecture does not explain: "
                            + some(List.copyOf(unknown)));
        }
    }

    private static String some(List<String> all) {
        String named = String.join("; ", all.subList(0, Math.min(MAX_NAMED, all.size())));
        return all.size() <= MAX_NAMED
                ? named
                : named + "; and " + (all.size() - MAX_NAMED) + " more";
    }
}
