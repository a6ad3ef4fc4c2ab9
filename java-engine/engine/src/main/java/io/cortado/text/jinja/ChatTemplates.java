package io.cortado.text.jinja;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * The chat templates of a model's folder, by name, and the names of its special tokens.
 *
 * <p>{@code chat_template.jinja} goes before {@code chat_template} in {@code
 * tokenizer_config.json}, which is one template or a list of named ones.
 */
public final class ChatTemplates {
    /** The template for plain conversations. */
    public static final String DEFAULT = "default";

    private static final String CONFIG = "tokenizer_config.json";
    private static final int MAX_FILE_BYTES = 16 << 20;

    private final Map<String, ChatTemplate> templates;
    private final Map<String, String> specialTokens;

    private ChatTemplates(Map<String, ChatTemplate> templates, Map<String, String> specialTokens) {
        this.templates = templates;
        this.specialTokens = specialTokens;
    }

    public static ChatTemplates open(Path modelDir) throws IOException {
        return open(modelDir, TemplateOptions.CHAT);
    }

    public static ChatTemplates open(Path modelDir, TemplateOptions options) throws IOException {
        Path config = modelDir.resolve(CONFIG);
        JsonNode settings =
                Files.exists(config) ? parse(config) : JsonMapper.shared().createObjectNode();
        return compile(sources(modelDir, settings), specialTokens(settings), options);
    }

    /**
     * The templates that a GGUF file carries.
     *
     * @param metadata the file's keys: {@code tokenizer.chat_template}, {@code
     *     tokenizer.chat_template.NAME} and {@code tokenizer.ggml.*}, decoded
     */
    public static ChatTemplates fromGguf(Map<String, ?> metadata) {
        return fromGguf(metadata, TemplateOptions.CHAT);
    }

    public static ChatTemplates fromGguf(Map<String, ?> metadata, TemplateOptions options) {
        return compile(
                GgufTemplates.sources(metadata), GgufTemplates.specialTokens(metadata), options);
    }

    private static ChatTemplates compile(
            Map<String, String> sources,
            Map<String, String> specialTokens,
            TemplateOptions options) {
        Set<String> trusted = new LinkedHashSet<>(options.trustedNames());
        trusted.addAll(specialTokens.keySet());
        var trusting =
                new TemplateOptions(
                        options.trimBlocks(),
                        options.lstripBlocks(),
                        options.keepTrailingNewline(),
                        trusted,
                        options.clock());
        var templates = new LinkedHashMap<String, ChatTemplate>();
        sources.forEach(
                (name, source) -> templates.put(name, ChatTemplate.compile(source, trusting)));
        return new ChatTemplates(templates, specialTokens);
    }

    /** The template of a name, or nothing where the model publishes none. */
    public Optional<ChatTemplate> find(String name) {
        return Optional.ofNullable(templates.get(name));
    }

    /**
     * The template for a conversation: {@code tool_use} where there are tools and such a template,
     * else the default.
     */
    public Optional<ChatTemplate> choose(boolean hasTools) {
        ChatTemplate forTools = hasTools ? templates.get("tool_use") : null;
        return forTools != null ? Optional.of(forTools) : find(DEFAULT);
    }

    public Set<String> names() {
        return Set.copyOf(templates.keySet());
    }

    /**
     * {@code bos_token}, {@code eos_token} and so on with their texts: variables for every
     * rendering.
     */
    public Map<String, String> specialTokens() {
        return specialTokens;
    }

    /** Renders the chosen template with the special tokens added to the variables. */
    public Rendered render(Map<String, ? extends @Nullable Object> variables) {
        Object tools = variables.get("tools");
        ChatTemplate template =
                choose(tools != null)
                        .orElseThrow(() ->
                                new TemplateException(
                                        "model has no chat template: names=" + templates.keySet()));
        var all = new LinkedHashMap<String, @Nullable Object>(specialTokens);
        all.putAll(variables);
        // A client cannot pass off its own text as a special token.
        all.putAll(specialTokens);
        return template.render(all);
    }

    private static Map<String, String> sources(Path modelDir, JsonNode settings)
            throws IOException {
        Path file = modelDir.resolve("chat_template.jinja");
        if (Files.exists(file)) {
            return Map.of(DEFAULT, new String(read(file), java.nio.charset.StandardCharsets.UTF_8));
        }
        var sources = new LinkedHashMap<String, String>();
        JsonNode node = settings.path("chat_template");
        if (node.isString()) {
            sources.put(DEFAULT, node.stringValue());
        }
        if (node.isArray()) {
            for (JsonNode entry : node) {
                if (!entry.path("name").isString() || !entry.path("template").isString()) {
                    throw new TemplateException(
                            CONFIG + " chat_template entries need name and template");
                }
                sources.put(entry.path("name").stringValue(), entry.path("template").stringValue());
            }
        }
        return sources;
    }

    private static Map<String, String> specialTokens(JsonNode settings) {
        var tokens = new LinkedHashMap<String, String>();
        for (Map.Entry<String, JsonNode> entry : settings.properties()) {
            JsonNode value = entry.getValue();
            JsonNode content = value.isObject() ? value.path("content") : value;
            if (entry.getKey().endsWith("_token") && content.isString()) {
                tokens.put(entry.getKey(), content.stringValue());
            }
        }
        return Map.copyOf(tokens);
    }

    private static byte[] read(Path file) throws IOException {
        long size = Files.size(file);
        if (size > MAX_FILE_BYTES) {
            throw new TemplateException(
                    "file too large: " + file + " bytes=" + size + " limit=" + MAX_FILE_BYTES);
        }
        return Files.readAllBytes(file);
    }

    private static JsonNode parse(Path file) throws IOException {
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
