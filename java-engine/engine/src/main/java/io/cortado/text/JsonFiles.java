package io.cortado.text;

import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Reads the JSON files of a model, which nobody vouches for, within limits. */
final class JsonFiles {
    private static final int MAX_NESTING = 64;

    /** Four times what the largest published vocabulary with its merges takes. */
    private static final long MAX_JSON_TOKENS = 12_000_000;

    private JsonFiles() {}

    static JsonNode parse(byte[] json, String what, int maxBytes) {
        if (json.length > maxBytes) {
            throw new TokenizerFormatException(
                    what + " too large: bytes=" + json.length + " limit=" + maxBytes);
        }
        var limits =
                StreamReadConstraints.builder()
                        .maxNestingDepth(MAX_NESTING)
                        .maxStringLength(8 << 20)
                        .maxNameLength(1 << 16)
                        .maxNumberLength(100)
                        .maxTokenCount(MAX_JSON_TOKENS)
                        .maxDocumentLength(maxBytes)
                        .build();
        var mapper =
                JsonMapper.builder(JsonFactory.builder().streamReadConstraints(limits).build())
                        .enable(DeserializationFeature.FAIL_ON_READING_DUP_TREE_KEY)
                        .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
                        .build();
        try {
            return mapper.readTree(json);
        } catch (JacksonException e) {
            throw new TokenizerFormatException(
                    what + " is not acceptable JSON: " + e.getOriginalMessage(), e);
        }
    }
}
