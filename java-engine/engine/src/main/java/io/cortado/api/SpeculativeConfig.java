package io.cortado.api;

import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Reads {@link Speculation} from vLLM's {@code --speculative-config}: a JSON object with {@code
 * method}, {@code model}, {@code num_speculative_tokens}, {@code prompt_lookup_min}, {@code
 * prompt_lookup_max}, {@code disable_by_batch_size}, {@code rejection_sample_method}, {@code
 * speculative_token_tree}, and ours, {@code adaptive}, {@code tree_size} and {@code tree_top_k}.
 * What is not known is refused.
 *
 * <p>With {@code speculative_token_tree}, {@code num_speculative_tokens} is the number of its
 * drafts; with {@code tree_size}, the number on the longest way.
 */
public final class SpeculativeConfig {
    private static final String PARAM = "speculative-config";
    private static final int TREE_TOP_K = 4;

    private static final Map<String, Speculation.Method> METHODS =
            Map.of(
                    "ngram", Speculation.Method.NGRAM,
                    "[ngram]", Speculation.Method.NGRAM,
                    "suffix", Speculation.Method.SUFFIX,
                    "draft_model", Speculation.Method.DRAFT_MODEL,
                    "eagle3", Speculation.Method.EAGLE3,
                    "mtp", Speculation.Method.MTP,
                    "deepseek_mtp", Speculation.Method.MTP);

    private SpeculativeConfig() {}

    /**
     * Reads the text.
     *
     * @throws EngineException INVALID_REQUEST that names the field, the value and what it may be
     */
    public static Speculation parse(String json) {
        JsonNode root;
        try {
            root = JsonMapper.shared().readTree(json);
        } catch (JacksonException e) {
            throw EngineException.invalid(
                    PARAM, PARAM + " must be a JSON object: " + e.getOriginalMessage());
        }
        if (!root.isObject()) {
            throw EngineException.invalid(PARAM, PARAM + " must be a JSON object: " + json);
        }
        String model = "";
        String method = "";
        Speculation read = Speculation.OFF;
        int min = read.lookupMin();
        int max = read.lookupMax();
        int tokens = read.tokens();
        boolean adaptive = read.adaptive();
        int offAbove = read.offAbove();
        DraftShape.Fixed fixed = null;
        int treeSize = 0;
        int treeTopK = 0;
        for (Map.Entry<String, JsonNode> field : root.properties()) {
            JsonNode value = field.getValue();
            switch (field.getKey()) {
                case "method" -> method = text(field);
                case "model" -> model = text(field);
                case "num_speculative_tokens" -> tokens = number(field);
                case "prompt_lookup_min" -> {
                    min = number(field);
                    max = root.has("prompt_lookup_max") ? max : Math.max(min, max);
                }
                case "prompt_lookup_max" -> {
                    max = number(field);
                    min = root.has("prompt_lookup_min") ? min : Math.min(min, max);
                }
                case "rejection_sample_method" -> requireStandard(text(field));
                case "disable_by_batch_size" -> offAbove = number(field);
                case "speculative_token_tree" -> fixed = TokenTreeText.parse(text(field));
                case "tree_size" -> treeSize = number(field);
                case "tree_top_k" -> treeTopK = number(field);
                case "adaptive" -> {
                    if (!value.isBoolean()) {
                        throw wrong(field, "true or false");
                    }
                    adaptive = value.booleanValue();
                }
                default ->
                        throw EngineException.invalid(
                                PARAM, PARAM + " does not know this field: " + field.getKey());
            }
        }
        if (METHODS.get(model) == Speculation.Method.NGRAM) {
            method = "ngram"; // vLLM's older way to say it
            model = "";
        }
        DraftShape shape = shape(root, fixed, tokens, treeSize, treeTopK);
        if (fixed != null) {
            tokens = fixed.depth();
        }
        return new Speculation(
                method(method, model), model, tokens, min, max, adaptive, offAbove, shape);
    }

    private static DraftShape shape(
            JsonNode root, DraftShape.@Nullable Fixed fixed, int tokens, int size, int topK) {
        boolean isSized = root.has("tree_size");
        if (fixed != null) {
            if (isSized || root.has("tree_top_k")) {
                throw EngineException.invalid(
                        PARAM, PARAM + " must have speculative_token_tree or tree_size, not both");
            }
            if (root.has("num_speculative_tokens") && tokens != fixed.paths().size()) {
                throw EngineException.invalid(
                        PARAM,
                        "%s: speculative_token_tree must have num_speculative_tokens, %d: %d"
                                .formatted(PARAM, tokens, fixed.paths().size()));
            }
            return fixed;
        }
        if (!isSized && root.has("tree_top_k")) {
            throw EngineException.invalid(
                    PARAM, PARAM + ": tree_top_k needs tree_size: tree_top_k=" + topK);
        }
        int k = root.has("tree_top_k") ? topK : TREE_TOP_K;
        return isSized ? new DraftShape.TopK(size, k) : DraftShape.CHAIN;
    }

    /** Other rules draw other tokens than without drafts, be it by the same law. */
    private static void requireStandard(String rule) {
        if (!rule.equals("standard")) {
            throw EngineException.invalid(
                    PARAM,
                    PARAM
                            + " must have standard as rejection_sample_method (a draft stands where"
                            + " it is what the model itself draws): rejection_sample_method="
                            + rule);
        }
    }

    /** One that is not named drafts with the model that is. */
    private static Speculation.Method method(String name, String model) {
        if (name.isEmpty() && !model.isEmpty()) {
            return Speculation.Method.DRAFT_MODEL;
        }
        Speculation.Method method = METHODS.get(name.toLowerCase(Locale.ROOT));
        if (method == null) {
            throw EngineException.invalid(
                    PARAM,
                    PARAM
                            + " must have a method of ngram, suffix, draft_model, eagle3 or mtp: method="
                            + name);
        }
        return method;
    }

    private static String text(Map.Entry<String, JsonNode> field) {
        if (!field.getValue().isString()) {
            throw wrong(field, "a string");
        }
        return field.getValue().stringValue();
    }

    private static int number(Map.Entry<String, JsonNode> field) {
        if (!field.getValue().isIntegralNumber() || !field.getValue().canConvertToInt()) {
            throw wrong(field, "an integer");
        }
        return field.getValue().intValue();
    }

    private static EngineException wrong(Map.Entry<String, JsonNode> field, String what) {
        return EngineException.invalid(
                PARAM,
                "%s: %s must be %s: %s".formatted(PARAM, field.getKey(), what, field.getValue()));
    }
}
