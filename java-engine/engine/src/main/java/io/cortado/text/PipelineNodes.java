package io.cortado.text;

import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** Parts of a {@code tokenizer.json} for models that came in another format. */
final class PipelineNodes {
    private static final String SPACE = "\u2581";

    private PipelineNodes() {}

    static ObjectNode node(String type) {
        return JsonNodeFactory.instance.objectNode().put("type", type);
    }

    /** Cuts by each pattern in turn, keeping matches and what lies between; then byte letters. */
    static ObjectNode splits(String... patterns) {
        ObjectNode sequence = node("Sequence");
        ArrayNode steps = sequence.putArray("pretokenizers");
        for (String pattern : patterns) {
            ObjectNode split = steps.addObject().put("type", "Split");
            split.putObject("pattern").put("Regex", pattern);
            split.put("behavior", "Isolated").put("invert", false);
        }
        steps.add(byteLevel(false, false));
        return sequence;
    }

    static ObjectNode byteLevel(boolean addPrefixSpace, boolean useRegex) {
        return node("ByteLevel")
                .put("add_prefix_space", addPrefixSpace)
                .put("trim_offsets", true)
                .put("use_regex", useRegex);
    }

    /** SentencePiece's words, each with its space in front. */
    static ObjectNode metaspace(boolean prefixed) {
        return node("Metaspace")
                .put("replacement", SPACE)
                .put("prepend_scheme", prefixed ? "always" : "never")
                .put("split", true);
    }

    static ObjectNode prependSpace() {
        return node("Prepend").put("prepend", SPACE);
    }

    static ObjectNode markSpaces() {
        ObjectNode replace = node("Replace").put("content", SPACE);
        replace.putObject("pattern").put("String", " ");
        return replace;
    }

    static ObjectNode replace(String regex, String content) {
        ObjectNode replace = node("Replace").put("content", content);
        replace.putObject("pattern").put("Regex", regex);
        return replace;
    }

    /** Marked spaces to spaces, byte tokens to text, and the prefix away again. */
    static ObjectNode sentencePieceDecoder(boolean prefixed) {
        ObjectNode sequence = node("Sequence");
        ArrayNode steps = sequence.putArray("decoders");
        ObjectNode replace = steps.addObject().put("type", "Replace").put("content", " ");
        replace.putObject("pattern").put("String", SPACE);
        steps.addObject().put("type", "ByteFallback");
        steps.addObject().put("type", "Fuse");
        if (prefixed) {
            steps.addObject()
                    .put("type", "Strip")
                    .put("content", " ")
                    .put("start", 1)
                    .put("stop", 0);
        }
        return sequence;
    }
}
