package io.cortado.server;

import io.cortado.api.Prompt;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.JsonNode;

/** Reads prompts in OpenAI's four forms: a text, texts, ids, lists of ids. */
final class PromptReader {
    private final int vocabSize;

    PromptReader(int vocabSize) {
        this.vocabSize = vocabSize;
    }

    /**
     * The prompts of a required field.
     *
     * @param max most prompts
     */
    List<Prompt> prompts(Fields fields, String name, int max) {
        boolean special = fields.bool("add_special_tokens", true);
        JsonNode prompt = fields.node(name);
        if (prompt == null) {
            throw ApiError.invalid(name, name + " is required.");
        }
        if (prompt.isString()) {
            return List.of(text(name, prompt, special));
        }
        fields.require(prompt.isArray(), name, "a string or an array", prompt);
        if (prompt.isEmpty()) {
            throw empty(name);
        }
        if (prompt.get(0).isNumber()) {
            return List.of(tokens(fields, name, prompt));
        }
        List<Prompt> prompts = new ArrayList<>();
        for (JsonNode element : fields.array(name, max)) {
            fields.require(
                    element.isString() || element.isArray(),
                    name,
                    "made of strings or of arrays of ids",
                    element);
            prompts.add(
                    element.isString()
                            ? text(name, element, special)
                            : tokens(fields, name, element));
        }
        return prompts;
    }

    private static Prompt text(String name, JsonNode node, boolean special) {
        if (node.stringValue().isEmpty()) {
            throw empty(name);
        }
        return new Prompt.Text(node.stringValue(), special);
    }

    private Prompt tokens(Fields fields, String name, JsonNode array) {
        if (array.isEmpty()) {
            throw empty(name);
        }
        return new Prompt.Tokens(ids(fields, name, array));
    }

    private static ApiError empty(String name) {
        return ApiError.invalid(name, name + " must not be empty.");
    }

    /** An array of ids, which may be empty. */
    int[] ids(Fields fields, String name, JsonNode array) {
        fields.require(array.isArray(), name, "an array of ids", array);
        int[] ids = new int[array.size()];
        for (int i = 0; i < ids.length; i++) {
            ids[i] = (int) fields.integer(array.get(i), name, 0, vocabSize - 1L);
        }
        return ids;
    }
}
