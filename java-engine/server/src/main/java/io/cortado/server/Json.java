package io.cortado.server;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** Reads a client's JSON: what is malformed, ambiguous or too deep is refused with a 400. */
final class Json {
    private static final int MAX_DEPTH = 128;
    private static final int MAX_TOKENS = 5_000_000;

    private static final JsonMapper MAPPER =
            JsonMapper.builder(
                            JsonFactory.builder()
                                    .streamReadConstraints(
                                            StreamReadConstraints.builder()
                                                    .maxNestingDepth(MAX_DEPTH)
                                                    .maxStringLength(Integer.MAX_VALUE)
                                                    .maxNumberLength(1000)
                                                    .maxNameLength(10_000)
                                                    .maxTokenCount(MAX_TOKENS)
                                                    .build())
                                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                                    .build())
                    .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
                    .build();

    private Json() {}

    /** A request's body, which must be an object. */
    static ObjectNode object(byte[] body) {
        JsonNode node;
        try {
            node = MAPPER.readTree(utf8(body));
        } catch (JacksonException e) {
            throw ApiError.invalid(null, "The body is not valid JSON: " + reason(e));
        }
        if (!(node instanceof ObjectNode object)) {
            throw ApiError.invalid(null, "The body must be a JSON object.");
        }
        check(object, "");
        return object;
    }

    /** Reads JSON text of unknown worth; null if it is not JSON. */
    static @Nullable JsonNode tryRead(String text) {
        try {
            return MAPPER.readTree(text);
        } catch (JacksonException e) {
            return null;
        }
    }

    private static String utf8(byte[] body) {
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .onMalformedInput(CodingErrorAction.REPORT)
                    .onUnmappableCharacter(CodingErrorAction.REPORT)
                    .decode(ByteBuffer.wrap(body))
                    .toString();
        } catch (CharacterCodingException e) {
            throw ApiError.invalid(null, "The body is not valid UTF-8.");
        }
    }

    /** Jackson's own words name classes and settings; a client needs the place only. */
    private static String reason(JacksonException e) {
        String message = String.valueOf(e.getOriginalMessage());
        String what =
                message.contains("nesting depth")
                        ? "it is nested deeper than " + MAX_DEPTH
                        : message.contains("Duplicate")
                                ? "a key occurs twice in one object"
                                : "unexpected input";
        return e.getLocation() == null
                ? what
                : what
                        + " at line "
                        + e.getLocation().getLineNr()
                        + ", column "
                        + e.getLocation().getColumnNr();
    }

    private static void check(JsonNode node, String path) {
        if (node.isString()) {
            requirePairs(node.stringValue(), path);
        } else if (node.isFloatingPointNumber() && !Double.isFinite(node.doubleValue())) {
            throw ApiError.invalid(path, path + " must be a finite number.");
        } else if (node instanceof ObjectNode object) {
            for (Map.Entry<String, JsonNode> field : object.properties()) {
                requirePairs(field.getKey(), path);
                check(
                        field.getValue(),
                        path.isEmpty() ? field.getKey() : path + "." + field.getKey());
            }
        } else if (node.isArray()) {
            for (int i = 0; i < node.size(); i++) {
                if (!node.get(i).isIntegralNumber()) {
                    check(node.get(i), path + "[" + i + "]");
                }
            }
        }
    }

    private static void requirePairs(String text, String path) {
        for (int i = 0; i < text.length(); i++) {
            if (Character.isHighSurrogate(text.charAt(i))
                    && i + 1 < text.length()
                    && Character.isLowSurrogate(text.charAt(i + 1))) {
                i++;
            } else if (Character.isSurrogate(text.charAt(i))) {
                throw ApiError.invalid(
                        path.isEmpty() ? null : path, "The body has a lone surrogate.");
            }
        }
    }

    /** The same in null, Boolean, Long, Double, String, List and Map. */
    static @Nullable Object plain(JsonNode node) {
        if (node.isNull()) {
            return null;
        }
        if (node.isString()) {
            return node.stringValue();
        }
        if (node.isBoolean()) {
            return node.booleanValue();
        }
        if (node.isIntegralNumber() && node.canConvertToLong()) {
            return node.longValue();
        }
        if (node.isNumber()) {
            return node.doubleValue();
        }
        if (node instanceof ObjectNode object) {
            return plainMap(object);
        }
        List<@Nullable Object> list = new ArrayList<>(node.size());
        for (JsonNode element : node) {
            list.add(plain(element));
        }
        return list;
    }

    /** As {@link #plain}. The map may hold nulls, which templates tell from absent keys. */
    @SuppressWarnings("unchecked")
    static Map<String, Object> plainMap(ObjectNode object) {
        Map<String, @Nullable Object> map = new LinkedHashMap<>();
        for (Map.Entry<String, JsonNode> field : object.properties()) {
            map.put(field.getKey(), plain(field.getValue()));
        }
        return (Map<String, Object>) (Map<?, ?>) map;
    }
}
