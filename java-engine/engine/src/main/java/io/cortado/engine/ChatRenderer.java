package io.cortado.engine;

import io.cortado.api.EngineException;
import io.cortado.api.Prompt;
import io.cortado.text.Segment;
import io.cortado.text.jinja.ChatTemplates;
import io.cortado.text.jinja.Rendered;
import io.cortado.text.jinja.TemplateException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** A conversation as the model's template writes it, each piece with its origin. */
final class ChatRenderer {
    private final ChatTemplates templates;

    ChatRenderer(ChatTemplates templates) {
        this.templates = templates;
    }

    boolean hasTemplate() {
        return templates.choose(false).isPresent();
    }

    List<Segment> render(Prompt.Chat chat) {
        if (chat.messages().isEmpty()) {
            throw EngineException.invalid("messages", "messages must not be empty: messages=0");
        }
        if (chat.addGenerationPrompt() && chat.continueFinalMessage()) {
            throw EngineException.invalid(
                    "continue_final_message",
                    "continue_final_message and add_generation_prompt exclude each other");
        }
        if (templates.choose(!chat.tools().isEmpty()).isEmpty()) {
            throw EngineException.invalid("messages", "the model has no chat template");
        }
        Map<String, Object> variables = new HashMap<>(chat.templateVariables());
        variables.put("messages", chat.messages());
        variables.put("add_generation_prompt", chat.addGenerationPrompt());
        if (!chat.tools().isEmpty()) {
            variables.put("tools", chat.tools());
        }
        try {
            Rendered rendered = templates.render(variables);
            return chat.continueFinalMessage() ? cutAfterLast(rendered, chat) : rendered.segments();
        } catch (TemplateException e) {
            throw new EngineException(
                    EngineException.Code.INVALID_REQUEST,
                    "the chat template refuses the messages: " + e.getMessage(),
                    "messages",
                    e);
        }
    }

    /** What the template writes after the last message would close it. */
    private static List<Segment> cutAfterLast(Rendered rendered, Prompt.Chat chat) {
        String last = String.valueOf(chat.messages().getLast().get("content")).strip();
        int at = rendered.text().lastIndexOf(last);
        if (last.isEmpty() || at < 0) {
            throw EngineException.invalid(
                    "continue_final_message",
                    "the last message's content must be text that the template shows as it is");
        }
        int left = at + last.length();
        List<Segment> kept = new ArrayList<>();
        for (Segment segment : rendered.segments()) {
            int chars = Math.min(left, segment.text().length());
            if (chars > 0) {
                kept.add(new Segment(segment.text().substring(0, chars), segment.origin()));
            }
            left -= chars;
        }
        return kept;
    }
}
