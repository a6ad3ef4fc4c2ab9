package io.cortado.text.jinja;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ChatTemplatesTest {
    @TempDir Path folder;

    @Test
    void readsOneTemplateOrNamedOnesOfTheConfiguration() throws IOException {
        write(
                "tokenizer_config.json",
                "{\"chat_template\":\"one{{ eos_token }}\",\"eos_token\":\"E\"}");
        assertEquals("oneE", render(Map.of()));
        write(
                "tokenizer_config.json",
                """
                {"chat_template":[{"name":"default","template":"plain"},
                 {"name":"tool_use","template":"tools"},{"name":"rag","template":"rag"}]}\
                """);
        assertEquals("plain", render(Map.of()));
        assertEquals("tools", render(Map.of("tools", List.of(1), "documents", List.of(1))));
        assertEquals("rag", render(Map.of("documents", List.of(1))));
    }

    @Test
    void filesGoBeforeTheConfiguration() throws IOException {
        write("tokenizer_config.json", "{\"chat_template\":\"config\"}");
        write("chat_template.json", "{\"chat_template\":\"json\"}");
        assertEquals("config", render(Map.of()));
        write("chat_template.jinja", "file");
        Files.createDirectory(folder.resolve("additional_chat_templates"));
        write("additional_chat_templates/tool_use.jinja", "file for tools");
        assertEquals("file", render(Map.of()));
        assertEquals("file for tools", render(Map.of("tools", List.of(1))));
        assertEquals(Set.of("default", "tool_use"), ChatTemplates.open(folder).names());
    }

    @Test
    void readsTheJsonFileWhereThereIsNothingElse() throws IOException {
        write("chat_template.json", "{\"chat_template\":\"json\"}");
        write("special_tokens_map.json", "{\"bos_token\":{\"content\":\"B\"}}");
        assertEquals("json", render(Map.of()));
        assertEquals(Map.of("bos_token", "B"), ChatTemplates.open(folder).specialTokens());
    }

    @Test
    void refusesTemplatesOfAnotherForm() throws IOException {
        write("tokenizer_config.json", "{\"chat_template\":7}");
        assertThrows(TemplateException.class, () -> ChatTemplates.open(folder));
        write("tokenizer_config.json", "{\"chat_template\":[{\"name\":\"a\"}]}");
        assertThrows(TemplateException.class, () -> ChatTemplates.open(folder));
    }

    @Test
    void aClientCannotReplaceASpecialToken() throws IOException {
        write(
                "tokenizer_config.json",
                "{\"chat_template\":\"{{ eos_token }}\",\"eos_token\":\"E\"}");
        assertEquals("E", render(Map.of("eos_token", "mine")));
    }

    private String render(Map<String, Object> variables) throws IOException {
        return ChatTemplates.open(folder).render(variables).text();
    }

    private void write(String name, String text) throws IOException {
        Files.writeString(folder.resolve(name), text);
    }
}
