package io.cortado.server;

import io.cortado.api.ModelInfo;
import io.cortado.api.SamplingParams;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** Sampling parameters of a request; what is absent is the model's own default. */
final class SamplingFields {
    private static final int MAX_STOP = 4;
    private static final int MAX_STOP_IDS = 16;
    private static final int MAX_BIAS = 1024;
    private static final int MAX_LOGPROBS = 20;
    private static final int MAX_STOP_CHARS = 4096;

    private SamplingFields() {}

    static SamplingParams.Builder read(Fields fields, ModelInfo model, int maxChoices) {
        SamplingParams defaults = model.defaults();
        SamplingParams.Builder params = defaults.toBuilder();
        params.n(fields.integer("n", 1, maxChoices, 1));
        params.temperature(decimal(fields, "temperature", 0, 2, defaults.temperature()));
        float topP = decimal(fields, "top_p", 0, 1, defaults.topP());
        if (!(topP > 0)) {
            throw ApiError.invalid("top_p", "top_p must be in (0, 1]: " + topP);
        }
        params.topP(topP);
        params.topK(fields.integer("top_k", -1, Integer.MAX_VALUE, defaults.topK()));
        params.minP(decimal(fields, "min_p", 0, 1, defaults.minP()));
        params.seed(fields.integer("seed", Long.MIN_VALUE, Long.MAX_VALUE));
        params.stop(stop(fields)).stopTokenIds(stopTokenIds(fields, model));
        params.includeStop(fields.bool("include_stop_str_in_output", false));
        params.ignoreEos(fields.bool("ignore_eos", false));
        params.skipSpecialTokens(fields.bool("skip_special_tokens", true));
        fields.bool("spaces_between_special_tokens");
        params.logitBias(logitBias(fields, model));
        return params;
    }

    /** Sets both limits of the output's length. */
    static void lengths(
            Fields fields, SamplingParams.Builder params, int low, @Nullable Long asked, int absent) {
        int maxTokens =
                asked != null
                        ? asked.intValue()
                        : fields.integer("max_tokens", low, Integer.MAX_VALUE, absent);
        int minTokens = fields.integer("min_tokens", 0, Integer.MAX_VALUE, 0);
        if (minTokens > maxTokens) {
            throw ApiError.invalid(
                    "min_tokens",
                    "min_tokens must be in [0, max_tokens=" + maxTokens + "]: " + minTokens);
        }
        params.maxTokens(maxTokens).minTokens(minTokens);
    }

    static @Nullable Integer promptLogprobs(Fields fields, boolean stream) {
        Long k = fields.integer("prompt_logprobs", 0, MAX_LOGPROBS);
        if (k != null && stream) {
            throw ApiError.invalid(
                    "prompt_logprobs", "prompt_logprobs is not available with stream: true.");
        }
        return k == null ? null : k.intValue();
    }

    private static float decimal(Fields fields, String name, double low, double high, float absent) {
        Double value = fields.number(name, low, high);
        return value == null ? absent : value.floatValue();
    }

    private static List<String> stop(Fields fields) {
        JsonNode node = fields.node("stop");
        if (node == null) {
            return List.of();
        }
        if (node.isString()) {
            return List.of(stopString(fields, node));
        }
        List<String> stops = new ArrayList<>();
        for (JsonNode element : fields.array("stop", MAX_STOP)) {
            stops.add(stopString(fields, element));
        }
        return stops;
    }

    private static String stopString(Fields fields, JsonNode node) {
        fields.require(node.isString(), "stop", "a string or an array of strings", node);
        String stop = node.stringValue();
        if (stop.isEmpty() || stop.length() > MAX_STOP_CHARS) {
            throw ApiError.invalid(
                    "stop",
                    "stop must be strings of 1 to "
                            + MAX_STOP_CHARS
                            + " characters: "
                            + stop.length());
        }
        return stop;
    }

    private static List<Integer> stopTokenIds(Fields fields, ModelInfo model) {
        List<Integer> ids = new ArrayList<>();
        for (JsonNode node : fields.array("stop_token_ids", MAX_STOP_IDS)) {
            ids.add((int) fields.integer(node, "stop_token_ids", 0, model.vocabSize() - 1L));
        }
        return ids;
    }

    /** Ids are checked against the logits' width, which may be more than the tokenizer knows. */
    private static Map<Integer, Float> logitBias(Fields fields, ModelInfo model) {
        Fields bias = fields.object("logit_bias");
        if (bias == null) {
            return Map.of();
        }
        ObjectNode object = bias.raw();
        if (object.size() > MAX_BIAS) {
            throw ApiError.invalid(
                    "logit_bias",
                    "logit_bias must have at most " + MAX_BIAS + " entries: " + object.size());
        }
        Map<Integer, Float> values = new HashMap<>();
        for (Map.Entry<String, JsonNode> entry : object.properties()) {
            int id = tokenId(entry.getKey(), model.vocabSize());
            JsonNode value = entry.getValue();
            if (!value.isNumber() || !(Math.abs(value.doubleValue()) <= 100)) {
                throw ApiError.invalid(
                        "logit_bias", "logit_bias values must be numbers in [-100, 100].");
            }
            if (values.put(id, value.floatValue()) != null) {
                throw ApiError.invalid("logit_bias", "logit_bias names an id twice: " + id);
            }
        }
        return values;
    }

    private static int tokenId(String key, int vocabSize) {
        boolean digits = !key.isEmpty() && key.length() <= 9;
        for (int i = 0; digits && i < key.length(); i++) {
            digits = key.charAt(i) >= '0' && key.charAt(i) <= '9';
        }
        if (!digits || Integer.parseInt(key) >= vocabSize) {
            throw ApiError.invalid(
                    "logit_bias",
                    "logit_bias keys must be token ids in [0, " + (vocabSize - 1) + "].");
        }
        return Integer.parseInt(key);
    }
}
