package io.cortado.server.cli;

import io.cortado.api.Prompt;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;
import tools.jackson.core.JacksonException;
import tools.jackson.core.type.TypeReference;
import tools.jackson.databind.json.JsonMapper;

/** Flags that say which chat template is used, and what it is told. */
final class TemplateFlags {
    private static final TypeReference<List<Map<String, Object>>> OBJECTS =
            new TypeReference<>() {};
    private static final TypeReference<Map<String, Object>> OBJECT = new TypeReference<>() {};

    @Option(
            names = "--chat-template",
            paramLabel = "NAME|FILE",
            description =
                    "one of the model's templates, such as tool_use, or a file with another one")
    @Nullable String chatTemplate;

    @Option(
            names = "--chat-template-kwargs",
            paramLabel = "JSON",
            description = "more variables for the template, as {\"enable_thinking\":false}")
    @Nullable String chatTemplateKwargs;

    @Option(
            names = "--tools",
            paramLabel = "FILE",
            description = "tool definitions, a JSON array as in the OpenAI API")
    @Nullable Path tools;

    @Option(
            names = "--documents",
            paramLabel = "FILE",
            description = "documents to answer from, a JSON array of objects")
    @Nullable Path documents;

    Prompt.Chat chat(
            List<Map<String, Object>> messages, boolean addGenerationPrompt, boolean continued)
            throws IOException {
        return new Prompt.Chat(
                List.copyOf(messages),
                objects("--tools", tools),
                chatTemplateKwargs == null
                        ? Map.of()
                        : read("--chat-template-kwargs", chatTemplateKwargs, OBJECT),
                addGenerationPrompt,
                continued,
                objects("--documents", documents),
                template());
    }

    static List<Map<String, Object>> objects(String flag, @Nullable Path file) throws IOException {
        return file == null
                ? List.of()
                : read(flag, Files.readString(file, StandardCharsets.UTF_8), OBJECTS);
    }

    private @Nullable String template() throws IOException {
        return chatTemplate != null && Files.isRegularFile(Path.of(chatTemplate))
                ? Files.readString(Path.of(chatTemplate), StandardCharsets.UTF_8)
                : chatTemplate;
    }

    private static <T> T read(String flag, String json, TypeReference<T> type) {
        try {
            return JsonMapper.shared().readValue(json, type);
        } catch (JacksonException e) {
            throw new IllegalArgumentException(
                    flag + " is not acceptable JSON: " + e.getOriginalMessage());
        }
    }
}
