package io.cortado.server;

import io.cortado.api.Engine;
import io.cortado.api.EngineException;
import io.cortado.api.Prompt;
import io.cortado.text.HermesCalls;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Whether a chat template writes tool calls in the form of Hermes: then the model was trained to
 * write them so. A template is asked by having it render a call.
 */
final class HermesTemplate {
    private static final String NAME = "probe_tool";
    private static final String CALL =
            HermesCalls.OPEN
                    + "\n{\"name\": \""
                    + NAME
                    + "\", \"arguments\": {\"x\": \"y\"}}\n"
                    + HermesCalls.CLOSE;

    private final Engine engine;
    private @Nullable Boolean ofModel;

    HermesTemplate(Engine engine) {
        this.engine = engine;
    }

    /**
     * @param template of the request; null: the model's
     */
    synchronized boolean writesCalls(@Nullable String template) {
        if (template != null) {
            return ask(template);
        }
        Boolean known = ofModel;
        if (known == null) {
            known = ask(null);
            ofModel = known;
        }
        return known;
    }

    private boolean ask(@Nullable String template) {
        Map<String, Object> call = Map.of("name", NAME, "arguments", Map.of("x", "y"));
        Map<String, Object> schema = Map.of("type", "object", "properties", Map.of());
        Map<String, Object> tool =
                Map.of("name", NAME, "description", "a tool", "parameters", schema);
        Prompt.Chat chat =
                new Prompt.Chat(
                        List.of(
                                Map.of("role", "user", "content", "x"),
                                Map.of(
                                        "role",
                                        "assistant",
                                        "content",
                                        "",
                                        "tool_calls",
                                        List.of(
                                                Map.of(
                                                        "id",
                                                        "call_1",
                                                        "type",
                                                        "function",
                                                        "function",
                                                        call))),
                                Map.of(
                                        "role",
                                        "tool",
                                        "tool_call_id",
                                        "call_1",
                                        "name",
                                        NAME,
                                        "content",
                                        "z")),
                        List.of(Map.of("type", "function", "function", tool)),
                        Map.of(),
                        true,
                        false,
                        List.of(),
                        template);
        try {
            return engine.render(chat).contains(CALL);
        } catch (EngineException e) {
            return false; // it takes no tools, or is none
        }
    }
}
