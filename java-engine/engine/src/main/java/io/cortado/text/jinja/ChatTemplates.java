package io.cortado.text.jinja;

import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** The chat templates of a model, by name, and the names of its special tokens. */
public final class ChatTemplates {
    /** The template for plain conversations. */
    public static final String DEFAULT = "default";

    /** The template for conversations with tools, where a model has one. */
    public static final String TOOL_USE = "tool_use";

    /** The template for conversations with documents, where a model has one. */
    public static final String RAG = "rag";

    private final Map<String, ChatTemplate> templates;
    private final Map<String, String> specialTokens;
    private final TemplateOptions options;

    private ChatTemplates(
            Map<String, ChatTemplate> templates,
            Map<String, String> specialTokens,
            TemplateOptions options) {
        this.templates = templates;
        this.specialTokens = specialTokens;
        this.options = options;
    }

    public static ChatTemplates open(Path modelDir) throws IOException {
        return open(modelDir, TemplateOptions.CHAT);
    }

    public static ChatTemplates open(Path modelDir, TemplateOptions options) throws IOException {
        return compile(
                TemplateFiles.sources(modelDir), TemplateFiles.specialTokens(modelDir), options);
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
        return new ChatTemplates(templates, specialTokens, trusting);
    }

    /** The template of a name, or nothing where the model publishes none. */
    public Optional<ChatTemplate> find(String name) {
        return Optional.ofNullable(templates.get(name));
    }

    /**
     * The template for a conversation: {@code tool_use} where there are tools and such a template,
     * {@code rag} where there are documents and such a template, else the default.
     */
    public Optional<ChatTemplate> choose(boolean hasTools, boolean hasDocuments) {
        ChatTemplate chosen = hasTools ? templates.get(TOOL_USE) : null;
        if (chosen == null && hasDocuments) {
            chosen = templates.get(RAG);
        }
        return chosen != null ? Optional.of(chosen) : find(DEFAULT);
    }

    /** A template of the caller's own, which sees the model's special tokens as well. */
    public ChatTemplate compile(String source) {
        return ChatTemplate.compile(source, options);
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

    /** Renders the template that {@link #choose} finds for the variables. */
    public Rendered render(Map<String, ? extends @Nullable Object> variables) {
        return render(
                choose(variables.get("tools") != null, variables.get("documents") != null)
                        .orElseThrow(() ->
                                new TemplateException(
                                        "model has no chat template: names=" + templates.keySet())),
                variables);
    }

    /** Renders with the special tokens added to the variables. */
    public Rendered render(
            ChatTemplate template, Map<String, ? extends @Nullable Object> variables) {
        var all = new LinkedHashMap<String, @Nullable Object>(variables);
        // A client cannot pass off its own text as a special token.
        all.putAll(specialTokens);
        return template.render(all);
    }
}
