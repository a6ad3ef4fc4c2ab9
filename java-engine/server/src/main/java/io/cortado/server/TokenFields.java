package io.cortado.server;

import io.cortado.api.ModelInfo;
import io.cortado.api.TokenRules;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * The fields about single tokens. Ids are checked against the logits' width, which may be more than
 * the tokenizer knows.
 */
final class TokenFields {
    private static final int MAX_BIAS = 1024;
    private static final int MAX_BAD_WORDS = 128;

    private TokenFields() {}

    static TokenRules read(Fields fields, ModelInfo model) {
        return new TokenRules(
                logitBias(fields, model),
                allowedTokenIds(fields, model),
                strings(fields, "bad_words", MAX_BAD_WORDS));
    }

    /** The elements of a field that is an array of strings; empty where absent. */
    static List<String> strings(Fields fields, String name, int max) {
        List<String> strings = new ArrayList<>();
        for (JsonNode node : fields.array(name, max)) {
            fields.require(node.isString(), name, "an array of strings", node);
            strings.add(node.stringValue());
        }
        return strings;
    }

    static List<Integer> ids(Fields fields, String name, int max, ModelInfo model) {
        List<Integer> ids = new ArrayList<>();
        for (JsonNode node : fields.array(name, max)) {
            ids.add((int) fields.integer(node, name, 0, model.vocabSize() - 1L));
        }
        return ids;
    }

    private static @Nullable List<Integer> allowedTokenIds(Fields fields, ModelInfo model) {
        String name = "allowed_token_ids";
        return fields.has(name) ? ids(fields, name, model.vocabSize(), model) : null;
    }

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
            fields.require(value.isNumber(), "logit_bias", "a map to numbers", value);
            if (!(Math.abs(value.doubleValue()) <= 100)) {
                throw ApiError.invalid(
                        "logit_bias",
                        "logit_bias values must be numbers in [-100, 100]: " + value.doubleValue());
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
            String shown = key.length() > 20 ? key.substring(0, 20) + "…" : key;
            throw ApiError.invalid(
                    "logit_bias",
                    "logit_bias keys must be token ids in [0, "
                            + (vocabSize - 1)
                            + "]: \""
                            + shown
                            + "\"");
        }
        return Integer.parseInt(key);
    }
}
