package io.cortado.text;

import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.JsonNode;

/** Reads the {@code post_processor} of a {@code tokenizer.json}. */
final class PostProcessors {
    private final int vocabSize;

    private PostProcessors(int vocabSize) {
        this.vocabSize = vocabSize;
    }

    static PostProcessor read(JsonNode node, int vocabSize) {
        return new PostProcessors(vocabSize).read(node);
    }

    private PostProcessor read(JsonNode node) {
        if (TokenizerFile.isAbsent(node)) {
            return PostProcessor.NONE;
        }
        return switch (Pipeline.type(node)) {
            case "ByteLevel" -> {
                Pipeline.requireFields(
                        "ByteLevel", node, "add_prefix_space", "trim_offsets", "use_regex");
                yield PostProcessor.NONE.withTrims(trims(node));
            }
            case "TemplateProcessing" -> {
                Pipeline.requireFields(
                        "TemplateProcessing", node, "single", "pair", "special_tokens");
                yield new PostProcessor(
                        template(node, "single", 1), template(node, "pair", 2), List.of());
            }
            case "RobertaProcessing" -> {
                Pipeline.requireFields(
                        "RobertaProcessing",
                        node,
                        "sep",
                        "cls",
                        "trim_offsets",
                        "add_prefix_space");
                yield PostProcessor.roberta(
                        knownId(node.path("cls").path(1), "cls"),
                        knownId(node.path("sep").path(1), "sep"),
                        trims(node));
            }
            case "BertProcessing" -> {
                Pipeline.requireFields("BertProcessing", node, "sep", "cls");
                yield PostProcessor.bert(
                        knownId(node.path("cls").path(1), "cls"),
                        knownId(node.path("sep").path(1), "sep"));
            }
            case "Sequence" -> {
                Pipeline.requireFields("Sequence", node, "processors");
                yield sequence(Pipeline.parts(node, "processors"));
            }
            case String other -> throw Pipeline.unsupported("post_processor", other);
        };
    }

    private static List<Boolean> trims(JsonNode node) {
        return Pipeline.flag(node, "trim_offsets", true)
                ? List.of(Pipeline.flag(node, "add_prefix_space", true))
                : List.of();
    }

    private PostProcessor sequence(List<JsonNode> processors) {
        PostProcessor only = PostProcessor.NONE;
        var trims = new ArrayList<Boolean>();
        for (JsonNode processor : processors) {
            PostProcessor next = read(processor);
            trims.addAll(next.trims());
            if (next.hasPartsOf(PostProcessor.NONE)) {
                continue;
            }
            // The reference gives a second template the parts of the first as if they were texts.
            if (!only.hasPartsOf(PostProcessor.NONE)) {
                throw Pipeline.unsupported(
                        "post_processor",
                        "Sequence of " + processors.stream().map(Pipeline::type).toList());
            }
            only = next;
        }
        return only.withTrims(trims);
    }

    private List<PostProcessor.Part> template(JsonNode node, String field, int texts) {
        var parts = new ArrayList<PostProcessor.Part>();
        var places = new int[2];
        for (JsonNode part : Pipeline.elements(node.path(field), "post_processor." + field)) {
            JsonNode sequence = part.path("Sequence");
            if (sequence.isMissingNode()) {
                parts.add(special(part.path("SpecialToken"), node.path("special_tokens")));
            } else {
                int index = textIndex(TokenizerFile.text(sequence, "id", ""), field);
                places[index]++;
                parts.add(new PostProcessor.Text(index, typeId(sequence)));
            }
        }
        if (places[0] != 1 || places[1] != texts - 1) {
            throw new TokenizerFormatException(
                    "post_processor."
                            + field
                            + " must have each of its texts once: A="
                            + places[0]
                            + " B="
                            + places[1]
                            + " texts="
                            + texts);
        }
        return List.copyOf(parts);
    }

    private static int textIndex(String id, String field) {
        return switch (id) {
            case "A" -> 0;
            case "B" -> 1;
            case String other ->
                    throw new TokenizerFormatException(
                            "Sequence of post_processor."
                                    + field
                                    + " must be A or B: id="
                                    + TokenizerFile.clip(other));
        };
    }

    private PostProcessor.Ids special(JsonNode token, JsonNode specialTokens) {
        String name = TokenizerFile.text(token, "id", "");
        var ids = new IntList();
        String what = "post_processor.special_tokens." + TokenizerFile.clip(name);
        for (JsonNode id : Pipeline.elements(specialTokens.path(name).path("ids"), what)) {
            ids.add(knownId(id, name));
        }
        return new PostProcessor.Ids(ids.toArray(), typeId(token));
    }

    private int knownId(JsonNode node, String name) {
        int id = TokenizerFile.id(node, "post_processor " + TokenizerFile.clip(name));
        if (id >= vocabSize) {
            throw new TokenizerFormatException(
                    "post_processor adds an unknown id: id=" + id + " vocabularySize=" + vocabSize);
        }
        return id;
    }

    private static int typeId(JsonNode part) {
        JsonNode typeId = part.path("type_id");
        if (TokenizerFile.isAbsent(typeId)) {
            return 0;
        }
        if (!typeId.isIntegralNumber() || !typeId.canConvertToInt() || typeId.intValue() < 0) {
            throw new TokenizerFormatException(
                    "type_id must be a whole number in [0, 2147483647]: type_id="
                            + TokenizerFile.brief(typeId));
        }
        return typeId.intValue();
    }
}
