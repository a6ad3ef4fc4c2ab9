package io.cortado.text;

import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import tools.jackson.databind.JsonNode;

/**
 * Reads the {@code pre_tokenizer} of a {@code tokenizer.json}.
 *
 * @param words cuts a text into words; where {@code modelSpells}, they are still text
 * @param spelledWords the same, with all byte letters spelled
 * @param modelSpells whether the last step is ByteLevel, whose letters the model can spell itself
 * @param needsPlaces whether it must know where the original starts when the normalizer or another
 *     step has changed the text before
 */
record PreTokenizerFile(
        PreTokenizer words, PreTokenizer spelledWords, boolean modelSpells, boolean needsPlaces) {
    private static final int MAX_FIXED_LENGTH = 1 << 20;

    static PreTokenizerFile read(JsonNode node, boolean hasNormalizer) {
        PreTokenizer spelled = preTokenizer(node, true);
        boolean modelSpells = endsWithByteLevel(node);
        List<JsonNode> steps = steps(node);
        boolean needsPlaces = false;
        for (int i = 0; i < steps.size(); i++) {
            needsPlaces |= isMetaspaceFirst(steps.get(i)) && (hasNormalizer || i > 0);
        }
        return new PreTokenizerFile(
                modelSpells ? preTokenizer(node, false) : spelled,
                spelled,
                modelSpells,
                needsPlaces);
    }

    private static List<JsonNode> steps(JsonNode node) {
        if (TokenizerFile.isAbsent(node)) {
            return List.of();
        }
        return Pipeline.type(node).equals("Sequence")
                ? Pipeline.parts(node, "pretokenizers").stream()
                        .flatMap(part -> steps(part).stream())
                        .toList()
                : List.of(node);
    }

    private static boolean endsWithByteLevel(JsonNode node) {
        List<JsonNode> steps = steps(node);
        return !steps.isEmpty() && Pipeline.type(steps.getLast()).equals("ByteLevel");
    }

    private static boolean isMetaspaceFirst(JsonNode node) {
        return Pipeline.type(node).equals("Metaspace")
                && metaspace(node).scheme() == Metaspace.Scheme.FIRST;
    }

    /**
     * @param spells whether a ByteLevel at the end spells its letters
     */
    private static PreTokenizer preTokenizer(JsonNode node, boolean spells) {
        if (TokenizerFile.isAbsent(node)) {
            return PreTokenizer.WHOLE;
        }
        return switch (Pipeline.type(node)) {
            case "ByteLevel" -> byteLevel(node, spells);
            case "Split" -> split(node);
            case "Digits" -> digits(node);
            case "Punctuation" -> {
                Pipeline.requireFields("Punctuation", node, "behavior");
                yield PreTokenizer.split(
                        PieceFinder.each(CharKind::isPunctuation),
                        behavior(node, "Isolated"),
                        false);
            }
            case "BertPreTokenizer" -> {
                Pipeline.requireFields("BertPreTokenizer", node);
                yield PreTokenizer.sequence(
                        List.of(
                                removed(PieceFinder.each(CharKind::isSpace)),
                                PreTokenizer.split(
                                        PieceFinder.each(CharKind::isPunctuation),
                                        SplitBehavior.ISOLATED,
                                        false)));
            }
            case "Whitespace" -> {
                Pipeline.requireFields("Whitespace", node);
                yield PreTokenizer.split(
                        PieceFinder.wordsAndSymbols(), SplitBehavior.REMOVED, true);
            }
            case "WhitespaceSplit" -> {
                Pipeline.requireFields("WhitespaceSplit", node);
                yield removed(PieceFinder.each(CharKind::isSpace));
            }
            case "CharDelimiterSplit" -> {
                Pipeline.requireFields("CharDelimiterSplit", node, "delimiter");
                yield removed(PieceFinder.literal(Pipeline.character(node, "delimiter")));
            }
            case "Metaspace" -> metaspace(node);
            case "UnicodeScripts" -> {
                Pipeline.requireFields("UnicodeScripts", node);
                yield new ScriptSplit();
            }
            case "FixedLength" -> fixedLength(node);
            case "Sequence" -> sequence(node, spells);
            case String other -> throw Pipeline.unsupported("pre_tokenizer", other);
        };
    }

    private static PreTokenizer sequence(JsonNode node, boolean spells) {
        Pipeline.requireFields("Sequence", node, "pretokenizers");
        List<JsonNode> parts = Pipeline.parts(node, "pretokenizers");
        return PreTokenizer.sequence(
                IntStream.range(0, parts.size())
                        .mapToObj(i -> preTokenizer(parts.get(i), spells || i + 1 < parts.size()))
                        .toList());
    }

    private static PreTokenizer byteLevel(JsonNode node, boolean spells) {
        Pipeline.requireFields("ByteLevel", node, "add_prefix_space", "trim_offsets", "use_regex");
        return PreTokenizer.byteLevel(
                Pipeline.flag(node, "add_prefix_space", true),
                Pipeline.flag(node, "use_regex", true),
                spells);
    }

    private static PreTokenizer split(JsonNode node) {
        Pipeline.requireFields("Split", node, "pattern", "behavior", "invert");
        return PreTokenizer.split(
                Pipeline.finder(node.path("pattern")),
                behavior(node, "Isolated"),
                Pipeline.flag(node, "invert", false));
    }

    private static PreTokenizer digits(JsonNode node) {
        Pipeline.requireFields("Digits", node, "individual_digits");
        return PreTokenizer.split(
                PieceFinder.each(CharKind::isNumeric),
                Pipeline.flag(node, "individual_digits", false)
                        ? SplitBehavior.ISOLATED
                        : SplitBehavior.CONTIGUOUS,
                false);
    }

    private static PreTokenizer removed(PieceFinder finder) {
        return PreTokenizer.split(finder, SplitBehavior.REMOVED, false);
    }

    private static PreTokenizer fixedLength(JsonNode node) {
        Pipeline.requireFields("FixedLength", node, "length");
        int length = Pipeline.count(node, "length", 5, MAX_FIXED_LENGTH);
        if (length == 0) {
            throw new TokenizerFormatException("FixedLength needs a length: length=0");
        }
        return PreTokenizer.fixedLength(length);
    }

    /** Reads a Metaspace, also in the old style with {@code add_prefix_space}. */
    static Metaspace metaspace(JsonNode node) {
        Pipeline.requireFields(
                "Metaspace",
                node,
                "replacement",
                "str_rep",
                "add_prefix_space",
                "prepend_scheme",
                "split");
        Metaspace.Scheme scheme =
                switch (TokenizerFile.text(node, "prepend_scheme", "always")) {
                    case "always" -> Metaspace.Scheme.ALWAYS;
                    case "first" -> Metaspace.Scheme.FIRST;
                    case "never" -> Metaspace.Scheme.NEVER;
                    case String other -> throw Pipeline.unsupported("prepend_scheme", other);
                };
        if (!Pipeline.flag(node, "add_prefix_space", true)) {
            if (node.has("prepend_scheme") && scheme != Metaspace.Scheme.NEVER) {
                throw new TokenizerFormatException(
                        "add_prefix_space contradicts prepend_scheme: add_prefix_space=false"
                                + " prepend_scheme="
                                + scheme);
            }
            scheme = Metaspace.Scheme.NEVER;
        }
        return new Metaspace(
                Pipeline.character(node, "replacement"),
                scheme,
                Pipeline.flag(node, "split", true));
    }

    private static SplitBehavior behavior(JsonNode node, String fallback) {
        String name = TokenizerFile.text(node, "behavior", fallback);
        for (SplitBehavior behavior : SplitBehavior.values()) {
            if (behavior.name().replace("_", "").equals(name.toUpperCase(Locale.ROOT))) {
                return behavior;
            }
        }
        throw Pipeline.unsupported("split behavior", name);
    }
}
