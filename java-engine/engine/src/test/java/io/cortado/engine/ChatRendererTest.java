package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.cortado.api.EngineException;
import io.cortado.api.Prompt;
import io.cortado.text.Origin;
import io.cortado.text.Segment;
import io.cortado.text.jinja.ChatTemplates;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ChatRendererTest {
    private static final String CHAT =
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
                    + "{{ '<|assistant|>' if add_generation_prompt }}";

    @TempDir Path folder;

    @BeforeEach
    void writeTemplates() throws IOException {
        Path more = Files.createDirectory(folder.resolve("additional_chat_templates"));
        Files.writeString(folder.resolve("chat_template.jinja"), CHAT);
        Files.writeString(more.resolve("tool_use.jinja"), "tools:{{ tools|length }}");
        Files.writeString(more.resolve("rag.jinja"), "rag:{{ documents[0].text }}");
        Files.writeString(
                more.resolve("kinds.jinja"), "{{ tools is none }}{{ documents is none }}{{ k }}");
    }

    private String render(Prompt.Chat chat) throws IOException {
        return new ChatRenderer(ChatTemplates.open(folder))
                .render(chat).stream().map(Segment::text).collect(Collectors.joining());
    }

    private static Prompt.Chat chat(
            List<Map<String, Object>> tools,
            List<Map<String, Object>> documents,
            @Nullable String template) {
        return new Prompt.Chat(
                List.of(Map.of("role", "user", "content", "hi")),
                tools,
                Map.of("k", 7L),
                true,
                false,
                documents,
                template);
    }

    @Test
    void choosesTheTemplateByWhatTheConversationHas() throws IOException {
        List<Map<String, Object>> some = List.of(Map.of("text", "d"));
        assertEquals("<|user|>hi<|end|><|assistant|>", render(chat(List.of(), List.of(), null)));
        assertEquals("tools:1", render(chat(some, some, null)));
        assertEquals("rag:d", render(chat(List.of(), some, null)));
    }

    @Test
    void takesATemplateByNameOrItsText() throws IOException {
        assertEquals("TrueTrue7", render(chat(List.of(), List.of(), "kinds")));
        assertEquals("own 7", render(chat(List.of(), List.of(), "own {{ k }}")));
        for (String wrong : List.of("no_such", "{% if %}")) {
            var refused =
                    assertThrows(
                            EngineException.class, () -> render(chat(List.of(), List.of(), wrong)));
            assertEquals("chat_template", refused.param());
        }
    }

    @ParameterizedTest
    @CsvSource(
            quoteCharacter = '`',
            value = {
                "`So far`=>`<|assistant|>So far`",
                "`So far `=>`<|assistant|>So far `",
                "` So far`=>`<|assistant|> So far`",
                "`end`=>`<|assistant|>end`",
                "`{{ 1 }}`=>`<|assistant|>{{ 1 }}`"
            },
            delimiterString = "=>")
    void leavesTheLastMessageOpen(String content, String expected) throws IOException {
        var chat =
                new Prompt.Chat(
                        List.of(Map.of("role", "assistant", "content", content)),
                        List.of(),
                        Map.of(),
                        false,
                        true);
        assertEquals(expected, render(chat));
    }

    @Test
    void userTextKeepsItsBytesAndItsOrigin() throws IOException {
        String text = "{{ 7*7 }}{% for i in x %}<|end|>\u0000\u00e9";
        List<Segment> segments =
                new ChatRenderer(ChatTemplates.open(folder))
                        .render(
                                new Prompt.Chat(
                                        List.of(Map.of("role", "user", "content", text)),
                                        List.of(),
                                        Map.of(),
                                        true,
                                        false));
        assertEquals(
                List.of("user", text),
                segments.stream()
                        .filter(s -> s.origin() == Origin.USER)
                        .map(Segment::text)
                        .toList());
    }
}
