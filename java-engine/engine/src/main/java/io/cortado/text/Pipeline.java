package io.cortado.text;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import tools.jackson.databind.JsonNode;

/** How the parts of a {@code tokenizer.json} are read: each by its type, with known fields only. */
final class Pipeline {
    private static final int MAX_PARTS = 64;

    private Pipeline() {}

    static List<JsonNode> parts(JsonNode node, String field) {
        return elements(node.path(field), field);
    }

    static List<JsonNode> elements(JsonNode array, String what) {
        if (!array.isArray() || array.size() > MAX_PARTS) {
            throw new TokenizerFormatException(
                    what
                            + " must be an array of at most "
                            + MAX_PARTS
                            + ": "
                            + TokenizerFile.brief(array)
                            + " size="
                            + array.size());
        }
        var list = new ArrayList<JsonNode>();
        array.forEach(list::add);
        return list;
    }

    static String type(JsonNode node) {
        return TokenizerFile.text(node, "type", "(no type)");
    }

    static UnsupportedTokenizerException unsupported(String what, String name) {
        return new UnsupportedTokenizerException(
                "tokenizer part not supported: " + what + "=" + TokenizerFile.clip(name));
    }

    /** Refuses a part with a field that would be ignored. */
    static void requireFields(String what, JsonNode node, String... known) {
        Set<String> names = Set.of(known);
        for (String name : node.propertyNames()) {
            if (!name.equals("type") && !names.contains(name)) {
                throw unsupported(what + " field", name);
            }
        }
    }

    /** A field that must be true or false where it is there. */
    static boolean flag(JsonNode node, String field, boolean fallback) {
        JsonNode value = node.path(field);
        if (TokenizerFile.isAbsent(value)) {
            return fallback;
        }
        if (!value.isBoolean()) {
            throw new TokenizerFormatException(
                    "tokenizer field must be true or false: "
                            + field
                            + "="
                            + TokenizerFile.brief(value));
        }
        return value.booleanValue();
    }

    /** A field that must be a whole number in {@code [0, max]} where it is there. */
    static int count(JsonNode node, String field, int fallback, int max) {
        JsonNode value = node.path(field);
        if (TokenizerFile.isAbsent(value)) {
            return fallback;
        }
        if (!value.isIntegralNumber()
                || !value.canConvertToInt()
                || value.intValue() < 0
                || value.intValue() > max) {
            throw new TokenizerFormatException(
                    "tokenizer field must be a whole number in [0, "
                            + max
                            + "]: "
                            + field
                            + "="
                            + TokenizerFile.brief(value));
        }
        return value.intValue();
    }

    /** A field that must be there and hold one character. */
    static String character(JsonNode node, String field) {
        String text = TokenizerFile.text(node, field, "");
        if (text.isEmpty() || text.codePointCount(0, text.length()) != 1) {
            throw new TokenizerFormatException(
                    "tokenizer field must be one character: "
                            + field
                            + "="
                            + TokenizerFile.clip(text));
        }
        return text;
    }

    /** A field that must be there and hold a text. */
    static String required(JsonNode node, String field) {
        if (TokenizerFile.isAbsent(node.path(field))) {
            throw new TokenizerFormatException(
                    "tokenizer field is missing: " + type(node) + "." + field);
        }
        return TokenizerFile.text(node, field, "");
    }

    /** The {@code pattern} of a Split or a Replace. */
    static PieceFinder finder(JsonNode pattern) {
        if (pattern.path("Regex").isString()) {
            return SplitPatterns.compile(pattern.path("Regex").stringValue());
        }
        return PieceFinder.literal(literal(pattern));
    }

    /** The string of a {@code pattern} that is no regular expression. */
    static String literal(JsonNode pattern) {
        if (pattern.path("String").isString() && !pattern.path("String").stringValue().isEmpty()) {
            return pattern.path("String").stringValue();
        }
        throw new TokenizerFormatException(
                "pattern is neither a Regex nor a String that is not empty: pattern="
                        + TokenizerFile.clip(pattern.toString()));
    }
}
