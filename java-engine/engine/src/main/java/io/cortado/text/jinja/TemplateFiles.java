package io.cortado.text.jinja;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * The files of a model's folder that hold templates, read as Hugging Face transformers reads them.
 *
 * <p>{@code chat_template.jinja} and {@code additional_chat_templates/NAME.jinja} go before {@code
 * chat_template} in {@code tokenizer_config.json}, which is one template or a list of named ones;
 * {@code chat_template.json} is for folders that have neither.
 */
final class TemplateFiles {
    private static final String CONFIG = "tokenizer_config.json";
    private static final String SPECIAL_TOKENS = "special_tokens_map.json";
    private static final String JSON = "chat_template.json";
    private static final String SUFFIX = ".jinja";
    private static final int MAX_FILE_BYTES = 16 << 20;
    private static final int MAX_TEMPLATES = 64;

    private TemplateFiles() {}

    /** Templates by name. */
    static Map<String, String> sources(Path modelDir) throws IOException {
        Map<String, String> files = jinjaFiles(modelDir);
        if (!files.isEmpty()) {
            return files;
        }
        Map<String, String> configured = configured(object(modelDir.resolve(CONFIG)), CONFIG);
        return configured.isEmpty() ? configured(object(modelDir.resolve(JSON)), JSON) : configured;
    }

    private static Map<String, String> jinjaFiles(Path modelDir) throws IOException {
        var sources = new TreeMap<String, String>();
        Path single = modelDir.resolve("chat_template.jinja");
        if (Files.exists(single)) {
            sources.put(ChatTemplates.DEFAULT, text(single));
        }
        Path more = modelDir.resolve("additional_chat_templates");
        if (Files.isDirectory(more)) {
            try (DirectoryStream<Path> files = Files.newDirectoryStream(more, "*" + SUFFIX)) {
                for (Path file : files) {
                    String name = String.valueOf(file.getFileName());
                    bounded(sources.size(), more.toString());
                    sources.put(name.substring(0, name.length() - SUFFIX.length()), text(file));
                }
            }
        }
        return sources;
    }

    private static Map<String, String> configured(@Nullable JsonNode settings, String file) {
        var sources = new LinkedHashMap<String, String>();
        JsonNode node = settings == null ? null : settings.get("chat_template");
        if (node == null || node.isNull()) {
            return sources;
        }
        if (node.isString()) {
            sources.put(ChatTemplates.DEFAULT, node.stringValue());
            return sources;
        }
        if (!node.isArray()) {
            throw new TemplateException(
                    file + " chat_template must be a string or a list of named templates");
        }
        for (JsonNode entry : node) {
            if (!entry.path("name").isString() || !entry.path("template").isString()) {
                throw new TemplateException(file + " chat_template entries need name and template");
            }
            bounded(sources.size(), file);
            sources.put(entry.path("name").stringValue(), entry.path("template").stringValue());
        }
        return sources;
    }

    private static void bounded(int templates, String where) {
        if (templates >= MAX_TEMPLATES) {
            throw new TemplateException(where + " has too many templates: limit=" + MAX_TEMPLATES);
        }
    }

    /** {@code bos_token} and so on; the tokenizer's configuration goes before the older map. */
    static Map<String, String> specialTokens(Path modelDir) throws IOException {
        var tokens = new LinkedHashMap<String, String>();
        for (String name : new String[] {SPECIAL_TOKENS, CONFIG}) {
            JsonNode settings = object(modelDir.resolve(name));
            if (settings == null) {
                continue;
            }
            for (Map.Entry<String, JsonNode> entry : settings.properties()) {
                JsonNode value = entry.getValue();
                JsonNode content = value.isObject() ? value.path("content") : value;
                if (entry.getKey().endsWith("_token") && content.isString()) {
                    tokens.put(entry.getKey(), content.stringValue());
                }
            }
        }
        return Map.copyOf(tokens);
    }

    private static String text(Path file) throws IOException {
        return new String(read(file), StandardCharsets.UTF_8);
    }

    private static byte[] read(Path file) throws IOException {
        long size = Files.size(file);
        if (size > MAX_FILE_BYTES) {
            throw new TemplateException(
                    "file too large: " + file + " bytes=" + size + " limit=" + MAX_FILE_BYTES);
        }
        return Files.readAllBytes(file);
    }

    private static @Nullable JsonNode object(Path file) throws IOException {
        if (!Files.exists(file)) {
            return null;
        }
        var limits =
                StreamReadConstraints.builder()
                        .maxNestingDepth(64)
                        .maxStringLength(MAX_FILE_BYTES)
                        .build();
        var mapper =
                JsonMapper.builder(JsonFactory.builder().streamReadConstraints(limits).build())
                        .build();
        try {
            return mapper.readTree(read(file));
        } catch (JacksonException e) {
            throw new TemplateException(
                    file + " is not acceptable JSON: " + e.getOriginalMessage());
        }
    }
}
