package io.cortado.text;

import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.JsonNode;

/** Reads the {@code decoder} of a {@code tokenizer.json}. */
final class DecoderFile {
    private static final int MAX_STRIPPED = 1 << 20;

    private DecoderFile() {}

    static Decoder read(JsonNode node) {
        if (TokenizerFile.isAbsent(node)) {
            return new Decoder(List.of(new DecoderSteps.Spaces()));
        }
        var steps = new ArrayList<DecoderStep>();
        collect(node, steps);
        return new Decoder(steps);
    }

    private static void collect(JsonNode node, List<DecoderStep> steps) {
        if (Pipeline.type(node).equals("Sequence")) {
            Pipeline.requireFields("Sequence", node, "decoders");
            Pipeline.parts(node, "decoders").forEach(part -> collect(part, steps));
        } else {
            steps.add(step(node));
        }
    }

    private static DecoderStep step(JsonNode node) {
        return switch (Pipeline.type(node)) {
            case "ByteLevel" -> {
                Pipeline.requireFields(
                        "ByteLevel", node, "add_prefix_space", "trim_offsets", "use_regex");
                yield new DecoderSteps.ByteLevel();
            }
            case "ByteFallback" -> {
                Pipeline.requireFields("ByteFallback", node);
                yield new DecoderSteps.ByteFallback();
            }
            case "Fuse" -> {
                Pipeline.requireFields("Fuse", node);
                yield new DecoderSteps.Fuse();
            }
            case "Replace" -> replace(node);
            case "Strip" -> {
                Pipeline.requireFields("Strip", node, "content", "start", "stop");
                yield new StripStep(
                        Pipeline.character(node, "content"),
                        Pipeline.count(node, "start", 0, MAX_STRIPPED),
                        Pipeline.count(node, "stop", 0, MAX_STRIPPED));
            }
            case "Metaspace" -> {
                Metaspace metaspace = PreTokenizerFile.metaspace(node);
                yield new DecoderSteps.Metaspaces(
                        metaspace.replacement(), metaspace.scheme() != Metaspace.Scheme.NEVER);
            }
            case "WordPiece" -> {
                Pipeline.requireFields("WordPiece", node, "prefix", "cleanup");
                yield new DecoderSteps.WordPieces(
                        TokenizerFile.text(node, "prefix", "##"),
                        Pipeline.flag(node, "cleanup", true));
            }
            case "BPEDecoder" -> {
                Pipeline.requireFields("BPEDecoder", node, "suffix");
                yield new DecoderSteps.WordEnds(nonEmpty(node, "suffix", "</w>"));
            }
            case "CTC" -> {
                Pipeline.requireFields("CTC", node, "pad_token", "word_delimiter_token", "cleanup");
                yield new DecoderSteps.Ctc(
                        nonEmpty(node, "pad_token", "<pad>"),
                        nonEmpty(node, "word_delimiter_token", "|"),
                        Pipeline.flag(node, "cleanup", true));
            }
            case String other -> throw Pipeline.unsupported("decoder", other);
        };
    }

    private static DecoderStep replace(JsonNode node) {
        Pipeline.requireFields("Replace", node, "pattern", "content");
        JsonNode pattern = node.path("pattern");
        return new ReplaceStep(
                Pipeline.finder(pattern),
                pattern.has("Regex") ? null : Pipeline.literal(pattern),
                Pipeline.required(node, "content"));
    }

    /** In the reference an empty one would be found between all characters. */
    private static String nonEmpty(JsonNode node, String field, String fallback) {
        String text = TokenizerFile.text(node, field, fallback);
        if (text.isEmpty()) {
            throw Pipeline.unsupported("empty decoder field", field);
        }
        return text;
    }
}
