package io.cortado.bench;

import io.cortado.api.Prompt;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import tools.jackson.core.type.TypeReference;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Chats of the kinds that the demo model was trained on. */
final class DemoChats {
    private static final TypeReference<List<Map<String, Object>>> MAPS = new TypeReference<>() {};

    private DemoChats() {}

    static List<Prompt> read() throws IOException {
        JsonMapper json = JsonMapper.shared();
        try (InputStream file = DemoChats.class.getResourceAsStream("demo-chats.json")) {
            if (file == null) {
                throw new IOException("demo-chats.json is missing from the jar");
            }
            JsonNode root = json.readTree(file);
            List<Map<String, Object>> tools = json.treeToValue(root.get("tools"), MAPS);
            List<Prompt> prompts = new ArrayList<>();
            for (JsonNode chat : root.get("chats")) {
                List<Map<String, Object>> messages = json.treeToValue(chat.get("messages"), MAPS);
                List<Map<String, Object>> given = chat.has("tools") ? tools : List.of();
                prompts.add(new Prompt.Chat(messages, given, Map.of(), true, false));
            }
            return prompts;
        }
    }
}
