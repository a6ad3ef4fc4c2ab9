package io.cortado.text.jinja;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Templates and the special tokens that they name, from the keys of a GGUF file. */
final class GgufTemplates {
    private static final String TEMPLATE = "tokenizer.chat_template";

    /** The variables of templates, by what GGUF calls their ids. */
    private static final Map<String, String> TOKENS =
            Map.of(
                    "bos", "bos_token",
                    "eos", "eos_token",
                    "unknown", "unk_token",
                    "padding", "pad_token",
                    "seperator", "sep_token", // spelled so in the format
                    "cls", "cls_token",
                    "mask", "mask_token");

    private GgufTemplates() {}

    static Map<String, String> sources(Map<String, ?> metadata) {
        var sources = new LinkedHashMap<String, String>();
        metadata.forEach((key, value) -> {
            boolean isNamed = key.startsWith(TEMPLATE + ".");
            if (!isNamed && !key.equals(TEMPLATE)) {
                return;
            }
            if (!(value instanceof String source)) {
                throw new TemplateException(key + " must be a string");
            }
            String name = isNamed ? key.substring(TEMPLATE.length() + 1) : ChatTemplates.DEFAULT;
            sources.put(name, source);
        });
        return sources;
    }

    static Map<String, String> specialTokens(Map<String, ?> metadata) {
        var texts = new LinkedHashMap<String, String>();
        if (metadata.get("tokenizer.ggml.tokens") instanceof List<?> tokens) {
            TOKENS.forEach((key, variable) -> {
                Object id = metadata.get("tokenizer.ggml." + key + "_token_id");
                // Converters write -1 where the model has none.
                if (id instanceof Long at && at >= 0 && at < tokens.size()) {
                    texts.put(variable, String.valueOf(tokens.get(at.intValue())));
                }
            });
        }
        return Map.copyOf(texts);
    }
}
