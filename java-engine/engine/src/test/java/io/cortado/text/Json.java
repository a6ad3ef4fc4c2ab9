package io.cortado.text;

import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** JSON in tests, with single quotes for double ones. */
final class Json {
    private static final JsonMapper MAPPER = JsonMapper.builder().build();

    private Json() {}

    static JsonNode of(String json) {
        return MAPPER.readTree(json.replace('\'', '"'));
    }

    /** A {@code tokenizer.json} of a model and further fields. */
    static Tokenizer tokenizer(String model, String fields) {
        String file = "{'model':" + model + (fields.isEmpty() ? "" : "," + fields) + "}";
        return Tokenizer.parse(
                of(file).toString().getBytes(java.nio.charset.StandardCharsets.UTF_8));
    }
}
