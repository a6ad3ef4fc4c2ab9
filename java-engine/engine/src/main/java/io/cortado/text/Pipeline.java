package io.cortado.text;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import tools.jackson.databind.JsonNode;

/**
 * Reads what stands around the model in a {@code tokenizer.json}; unknown parts are refused by
 * their name.
 */
final class Pipeline {
    private static final int MAX_PARTS = 64;

    private final JsonNode root;

    Pipeline(JsonNode root) {
        this.root = root;
    }

    Normalizer normalizer() {
        return normalizer(root.path("normalizer"));
    }

    private static Normalizer normalizer(JsonNode node) {
        if (TokenizerFile.isAbsent(node)) {
            return Normalizer.NONE;
        }
        return switch (type(node)) {
            case "NFC" -> new Unicode9Nfc();
            case "Lowercase" -> Normalizer::lowercase;
            case "Sequence" ->
                    Normalizer.sequence(
                            parts(node, "normalizers").stream().map(Pipeline::normalizer).toList());
            case String other -> throw unsupported("normalizer", other);
        };
    }

    PreTokenizer preTokenizer() {
        return preTokenizer(root.path("pre_tokenizer"));
    }

    static PreTokenizer preTokenizer(JsonNode node) {
        if (TokenizerFile.isAbsent(node)) {
            return PreTokenizer.WHOLE;
        }
        return switch (type(node)) {
            case "ByteLevel" ->
                    PreTokenizer.byteLevel(
                            node.path("add_prefix_space").asBoolean(true),
                            node.path("use_regex").asBoolean(true));
            case "Split" ->
                    PreTokenizer.split(
                            finder(node.path("pattern")),
                            behavior(node, "Isolated"),
                            node.path("invert").asBoolean(false));
            case "Digits" ->
                    PreTokenizer.split(
                            PieceFinder.each(CharKind::isNumber),
                            node.path("individual_digits").asBoolean(false)
                                    ? SplitBehavior.ISOLATED
                                    : SplitBehavior.CONTIGUOUS,
                            false);
            case "Punctuation" ->
                    PreTokenizer.split(
                            PieceFinder.each(CharKind::isPunctuation),
                            behavior(node, "Isolated"),
                            false);
            case "Sequence" ->
                    PreTokenizer.sequence(
                            parts(node, "pretokenizers").stream()
                                    .map(Pipeline::preTokenizer)
                                    .toList());
            case String other -> throw unsupported("pre_tokenizer", other);
        };
    }

    private static PieceFinder finder(JsonNode pattern) {
        if (pattern.path("Regex").isString()) {
            return SplitPatterns.compile(pattern.path("Regex").stringValue());
        }
        if (pattern.path("String").isString()) {
            return PieceFinder.literal(pattern.path("String").stringValue());
        }
        throw new TokenizerFormatException(
                "Split has neither Regex nor String: pattern="
                        + TokenizerFile.clip(pattern.toString()));
    }

    private static SplitBehavior behavior(JsonNode node, String fallback) {
        String name = TokenizerFile.text(node, "behavior", fallback);
        for (SplitBehavior behavior : SplitBehavior.values()) {
            if (behavior.name().replace("_", "").equals(name.toUpperCase(Locale.ROOT))) {
                return behavior;
            }
        }
        throw unsupported("split behavior", name);
    }

    PostProcessor postProcessor(int vocabSize) {
        return PostProcessors.read(root.path("post_processor"), vocabSize);
    }

    void requireByteLevelDecoder() {
        requireByteLevelDecoder(root.path("decoder"));
    }

    private static void requireByteLevelDecoder(JsonNode node) {
        if (TokenizerFile.isAbsent(node)) {
            throw unsupported("decoder", "null");
        }
        String type = type(node);
        if (type.equals("Sequence")) {
            List<JsonNode> decoders =
                    parts(node, "decoders").stream().filter(d -> !type(d).equals("Fuse")).toList();
            if (decoders.size() == 1) {
                requireByteLevelDecoder(decoders.getFirst());
                return;
            }
            throw unsupported(
                    "decoder", "Sequence of " + decoders.stream().map(Pipeline::type).toList());
        }
        if (!type.equals("ByteLevel")) {
            throw unsupported("decoder", type);
        }
    }

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
}
