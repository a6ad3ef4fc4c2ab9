package io.cortado.server;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** The messages of a chat request as a template reads them. */
final class ChatMessages {
    private static final int MAX_MESSAGES = 10_000;
    private static final int MAX_PARTS = 1024;
    private static final int MAX_TOOL_CALLS = 128;
    private static final Set<String> ROLES =
            Set.of("system", "developer", "user", "assistant", "tool", "function");

    private ChatMessages() {}

    static List<Map<String, Object>> read(Fields fields) {
        List<JsonNode> nodes = fields.array("messages", MAX_MESSAGES);
        if (nodes.isEmpty()) {
            throw ApiError.invalid("messages", "messages must be an array of at least one message.");
        }
        List<Map<String, Object>> messages = new ArrayList<>(nodes.size());
        for (int i = 0; i < nodes.size(); i++) {
            messages.add(message(fields.element("messages", i, nodes.get(i))));
        }
        return messages;
    }

    @SuppressWarnings("unchecked") // the map may hold a null content: templates ask for it
    private static Map<String, Object> message(Fields fields) {
        String role = fields.oneOf("role", ROLES);
        if (role == null) {
            throw ApiError.invalid(fields.path("role"), fields.path("role") + " is required.");
        }
        Map<String, @Nullable Object> message = new LinkedHashMap<>();
        // Templates know "system"; the API's newer word means the same.
        message.put("role", role.equals("developer") ? "system" : role);
        message.put("content", content(fields, role));
        for (String name : List.of("name", "tool_call_id", "reasoning_content", "reasoning")) {
            String value = fields.string(name);
            if (value != null) {
                message.put(name, value);
            }
        }
        if (role.equals("assistant") && fields.has("tool_calls")) {
            message.put("tool_calls", toolCalls(fields));
        }
        if (fields.has("function_call")) {
            throw ApiError.unsupported(fields.path("function_call"), "use tool_calls");
        }
        return (Map<String, Object>) (Map<?, ?>) message;
    }

    private static @Nullable String content(Fields fields, String role) {
        JsonNode content = fields.node("content");
        if (content == null) {
            if (role.equals("assistant")) {
                return fields.string("refusal");
            }
            throw ApiError.invalid(
                    fields.path("content"), fields.path("content") + " is required.");
        }
        if (content.isString()) {
            return content.stringValue();
        }
        fields.require(content.isArray(), "content", "a string or an array of parts", content);
        List<String> texts = new ArrayList<>();
        List<JsonNode> parts = fields.array("content", MAX_PARTS);
        for (int i = 0; i < parts.size(); i++) {
            texts.add(text(fields.element("content", i, parts.get(i))));
        }
        return String.join("\n", texts);
    }

    private static String text(Fields part) {
        String type = part.requiredString("type");
        return switch (type) {
            case "text" -> part.requiredString("text");
            case "refusal" -> part.requiredString("refusal");
            case "image_url", "input_audio", "file", "video_url", "audio_url" ->
                    throw ApiError.unsupported(
                            part.path("type"), "this model takes text, not " + type);
            default ->
                    throw ApiError.invalid(
                            part.path("type"), part.path("type") + " must be \"text\".");
        };
    }

    private static List<Map<String, Object>> toolCalls(Fields fields) {
        List<Map<String, Object>> calls = new ArrayList<>();
        List<JsonNode> nodes = fields.array("tool_calls", MAX_TOOL_CALLS);
        for (int i = 0; i < nodes.size(); i++) {
            Fields call = fields.element("tool_calls", i, nodes.get(i));
            call.oneOf("type", Set.of("function"));
            Fields function = call.object("function");
            if (function == null) {
                throw ApiError.invalid(
                        call.path("function"), call.path("function") + " is required.");
            }
            Map<String, Object> copy = new HashMap<>();
            copy.put("type", "function");
            copy.put(
                    "function",
                    Map.of(
                            "name",
                            function.requiredString("name"),
                            "arguments",
                            arguments(function)));
            String id = call.string("id");
            if (id != null) {
                copy.put("id", id);
            }
            calls.add(copy);
        }
        return calls;
    }

    /** Templates iterate over arguments, so their text becomes the object that it spells. */
    private static Object arguments(Fields function) {
        JsonNode node = function.node("arguments");
        if (node instanceof ObjectNode object) {
            return Json.plainMap(object);
        }
        String text = function.string("arguments");
        if (text == null) {
            return Map.of();
        }
        return Json.tryRead(text) instanceof ObjectNode object ? Json.plainMap(object) : text;
    }
}
