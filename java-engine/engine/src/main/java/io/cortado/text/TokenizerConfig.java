package io.cortado.text;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;

/**
 * What stands beside a vocabulary that is no {@code tokenizer.json}: {@code tokenizer_config.json},
 * {@code added_tokens.json}, {@code special_tokens_map.json} and the type in {@code config.json}.
 *
 * @param addedTokens by id, as {@code added_tokens_decoder} has them
 */
record TokenizerConfig(
        JsonNode settings,
        JsonNode specialTokens,
        String modelType,
        Map<Integer, JsonNode> addedTokens) {
    private static final int MAX_BYTES = 16 << 20;

    static TokenizerConfig read(Path folder) throws IOException {
        JsonNode settings = json(folder.resolve("tokenizer_config.json"));
        JsonNode specialTokens = json(folder.resolve("special_tokens_map.json"));
        var added = new TreeMap<Integer, JsonNode>();
        for (Map.Entry<String, JsonNode> entry :
                json(folder.resolve("added_tokens.json")).properties()) {
            int id =
                    TokenizerFile.id(
                            entry.getValue(),
                            "added_tokens.json[" + TokenizerFile.clip(entry.getKey()) + "]");
            added.put(id, JsonNodeFactory.instance.objectNode().put("content", entry.getKey()));
        }
        for (Map.Entry<String, JsonNode> entry :
                settings.path("added_tokens_decoder").properties()) {
            added.put(decoderId(entry.getKey()), entry.getValue());
        }
        String modelType = json(folder.resolve("config.json")).path("model_type").asString("");
        return new TokenizerConfig(settings, specialTokens, modelType, added);
    }

    private static JsonNode json(Path file) throws IOException {
        if (!Files.exists(file)) {
            return JsonNodeFactory.instance.objectNode();
        }
        String name = String.valueOf(file.getFileName());
        return JsonFiles.parse(TokenizerFolder.bytes(file, MAX_BYTES), name, MAX_BYTES);
    }

    private static int decoderId(String key) {
        if (!key.matches("[0-9]{1,8}") || Integer.parseInt(key) >= TokenizerFile.MAX_ID) {
            throw new TokenizerFormatException(
                    "token id must be a whole number in [0, "
                            + TokenizerFile.MAX_ID
                            + "): tokenizer_config.json added_tokens_decoder key="
                            + TokenizerFile.clip(key));
        }
        return Integer.parseInt(key);
    }

    String tokenizerClass() {
        return settings.path("tokenizer_class").asString("");
    }

    /** A setting that is true, false or not given. */
    boolean flag(String name, boolean fallback) {
        JsonNode value = settings.path(name);
        if (TokenizerFile.isAbsent(value)) {
            return fallback;
        }
        if (!value.isBoolean()) {
            throw new TokenizerFormatException(
                    "tokenizer_config.json: "
                            + name
                            + " must be true or false: "
                            + TokenizerFile.brief(value));
        }
        return value.booleanValue();
    }

    /** The spelling of a role's token, such as {@code bos_token}, or null. */
    @Nullable String token(String role) {
        for (JsonNode source : new JsonNode[] {settings, specialTokens}) {
            JsonNode token = source.path(role);
            JsonNode content = token.isObject() ? token.path("content") : token;
            if (content.isString()) {
                return content.stringValue();
            }
        }
        return null;
    }
}
