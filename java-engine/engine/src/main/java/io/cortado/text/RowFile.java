package io.cortado.text;

import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/** Reads the {@code truncation} and the {@code padding} of a {@code tokenizer.json}. */
final class RowFile {
    private static final int MAX_LENGTH = Integer.MAX_VALUE;
    private static final int MAX_PADDED = 1 << 20;

    private RowFile() {}

    static @Nullable Truncation truncation(JsonNode node) {
        if (TokenizerFile.isAbsent(node)) {
            return null;
        }
        Pipeline.requireFields("truncation", node, "direction", "max_length", "strategy", "stride");
        // What is cut off is not kept, so the stride of its pieces means nothing here.
        Pipeline.count(node, "stride", 0, MAX_LENGTH);
        Truncation.Strategy strategy =
                switch (TokenizerFile.text(node, "strategy", "LongestFirst")) {
                    case "LongestFirst" -> Truncation.Strategy.LONGEST_FIRST;
                    case "OnlyFirst" -> Truncation.Strategy.ONLY_FIRST;
                    case "OnlySecond" -> Truncation.Strategy.ONLY_SECOND;
                    case String other -> throw Pipeline.unsupported("truncation.strategy", other);
                };
        return new Truncation(
                Pipeline.count(node, "max_length", 512, MAX_LENGTH), strategy, isLeft(node));
    }

    static @Nullable Padding padding(JsonNode node) {
        if (TokenizerFile.isAbsent(node)) {
            return null;
        }
        Pipeline.requireFields(
                "padding",
                node,
                "strategy",
                "direction",
                "pad_to_multiple_of",
                "pad_id",
                "pad_type_id",
                "pad_token");
        JsonNode strategy = node.path("strategy");
        Integer length = null;
        if (strategy.isObject()) {
            length = Pipeline.count(strategy, "Fixed", 0, MAX_PADDED);
        } else if (!TokenizerFile.text(node, "strategy", "").equals("BatchLongest")) {
            throw Pipeline.unsupported("padding.strategy", strategy.toString());
        }
        return new Padding(
                length,
                Math.max(1, Pipeline.count(node, "pad_to_multiple_of", 1, MAX_PADDED)),
                isLeft(node),
                Pipeline.count(node, "pad_id", 0, TokenizerFile.MAX_ID),
                Pipeline.count(node, "pad_type_id", 0, Integer.MAX_VALUE));
    }

    private static boolean isLeft(JsonNode node) {
        return switch (TokenizerFile.text(node, "direction", "Right")) {
            case "Right" -> false;
            case "Left" -> true;
            case String other -> throw Pipeline.unsupported("direction", other);
        };
    }
}
