package io.cortado.text;

import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.TokenStreamFactory;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.JsonNodeFactory;

/** Reads the JSON files of a model, which nobody vouches for, within limits. */
final class JsonFiles {
    private static final int MAX_NESTING = 64;

    /** Four times what the largest published vocabulary with its merges takes. */
    private static final long MAX_JSON_TOKENS = 12_000_000;

    /** Names are not canonicalized: nearly all of them are tokens, each there once. */
    private static final JsonMapper MAPPER =
            JsonMapper.builder(
                            JsonFactory.builder()
                                    .streamReadConstraints(
                                            StreamReadConstraints.builder()
                                                    .maxNestingDepth(MAX_NESTING)
                                                    .maxStringLength(8 << 20)
                                                    .maxNameLength(1 << 16)
                                                    .maxNumberLength(100)
                                                    .maxTokenCount(MAX_JSON_TOKENS)
                                                    .build())
                                    .disable(TokenStreamFactory.Feature.CANONICALIZE_PROPERTY_NAMES)
                                    .build())
                    .enable(DeserializationFeature.FAIL_ON_READING_DUP_TREE_KEY)
                    .disable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
                    .build();

    private JsonFiles() {}

    /** Reads a document from a parser that stands before its first token. */
    @FunctionalInterface
    interface Reader<T> {
        T read(JsonParser parser);
    }

    static JsonNode parse(byte[] json, String what, int maxBytes) {
        return read(
                json,
                what,
                maxBytes,
                parser -> {
                    parser.nextToken();
                    return tree(parser);
                });
    }

    /**
     * Reads a document by its tokens.
     *
     * @throws TokenizerFormatException if it is too large or no JSON, or more than the reader took
     */
    static <T> T read(byte[] json, String what, int maxBytes, Reader<T> reader) {
        if (json.length > maxBytes) {
            throw new TokenizerFormatException(
                    what + " too large: bytes=" + json.length + " limit=" + maxBytes);
        }
        try (JsonParser parser = MAPPER.createParser(json)) {
            T content = reader.read(parser);
            if (parser.nextToken() != null) {
                throw unacceptable(what, "something follows its end", null);
            }
            return content;
        } catch (JacksonException e) {
            throw unacceptable(what, e.getOriginalMessage(), e);
        }
    }

    /** The value at the parser's token, a missing node at the end. */
    static JsonNode tree(JsonParser parser) {
        return parser.currentToken() == null
                ? JsonNodeFactory.instance.missingNode()
                : MAPPER.readTree(parser);
    }

    static TokenizerFormatException unacceptable(
            String what, String why, @Nullable Throwable cause) {
        return new TokenizerFormatException(what + " is not acceptable JSON: " + why, cause);
    }
}
