package io.cortado.model;

import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * What a GGUF file's keys and tensors come to, checked against each other.
 *
 * @param config in the words of {@code config.json}
 * @param table tensors by the names that Hugging Face gives them
 */
record GgufContent(ObjectNode config, Map<String, GgufTable.Entry> table) {
    private static final int CONTROL_TOKEN = 3;

    /** Tokens that end a turn, by the names that llama.cpp knows them by (llama-vocab.cpp). */
    private static final Set<String> ENDS =
            Set.of(
                    "<|eot_id|>",
                    "<|im_end|>",
                    "<|end|>",
                    "<end_of_turn>",
                    "<|endoftext|>",
                    "<|end_of_text|>",
                    "<|eom_id|>",
                    "<EOT>",
                    "<|return|>",
                    "<|call|>");

    /** Of gpt-oss a message ends so, and a turn may go on with another one. */
    private static final String END_OF_MESSAGE = "<|end|>";

    static GgufContent read(GgufMetadata metadata, Map<String, GgufFile.Stored> tensors) {
        String type = metadata.text("general.type");
        if (type != null && !type.equals("model")) {
            throw ModelException.unsupported("general.type must be model: " + type);
        }
        String architecture = metadata.text("general.architecture");
        if (architecture == null) {
            throw ModelException.invalid("there is no general.architecture");
        }
        GgufFamily family = GgufFamily.of(architecture);
        new GgufKeys("general", metadata).require("quantization_version", 2);
        ObjectNode config = GgufConfig.of(family, new GgufKeys(architecture, metadata), tensors);
        Map<String, GgufTable.Entry> table = GgufTable.of(family, config);
        GgufTable.check(table, tensors);
        requireAlike(metadata, "tokenizer.ggml.scores");
        requireAlike(metadata, "tokenizer.ggml.token_type");
        endTokens(family, metadata, config);
        return new GgufContent(config, table);
    }

    /** One number for each token. */
    private static void requireAlike(GgufMetadata metadata, String key) {
        Integer tokens = metadata.length("tokenizer.ggml.tokens");
        Integer others = metadata.length(key);
        if (others != null && !others.equals(tokens)) {
            throw ModelException.invalid(
                    "%s has %d entries and tokenizer.ggml.tokens %d"
                            .formatted(key, others, tokens));
        }
    }

    /** Ids that keys name as ends, and control tokens that are known as such. */
    private static void endTokens(GgufFamily family, GgufMetadata metadata, ObjectNode config) {
        Set<Integer> ends = new LinkedHashSet<>();
        for (String key : List.of("eos", "eot", "eom")) {
            addId(ends, metadata, "tokenizer.ggml." + key + "_token_id");
        }
        List<String> tokens = metadata.texts("tokenizer.ggml.tokens");
        Object types = metadata.integers("tokenizer.ggml.token_type");
        if (tokens != null && types instanceof List<?> typeOf) {
            for (int id = 0; id < tokens.size(); id++) {
                boolean isControl = Long.valueOf(CONTROL_TOKEN).equals(typeOf.get(id));
                boolean isMessages =
                        family == GgufFamily.GPT_OSS && tokens.get(id).equals(END_OF_MESSAGE);
                if (isControl && ENDS.contains(tokens.get(id)) && !isMessages) {
                    ends.add(id);
                }
            }
        }
        ArrayNode ids = config.putArray("eos_token_id");
        ends.forEach(ids::add);
    }

    /** A converter writes -1 or the largest uint32 where there is none. */
    private static void addId(Set<Integer> ids, GgufMetadata metadata, String key) {
        if (metadata.integers(key) instanceof Long id && id >= 0 && id < 0xffff_ffffL) {
            Integer tokens = metadata.length("tokenizer.ggml.tokens");
            if (tokens != null && id >= tokens) {
                throw ModelException.invalid(
                        key + " must be below the number of tokens, " + tokens + ": " + id);
            }
            ids.add(Math.toIntExact(id));
        }
    }
}
