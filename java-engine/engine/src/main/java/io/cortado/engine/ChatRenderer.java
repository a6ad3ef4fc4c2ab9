package io.cortado.engine;

import io.cortado.api.EngineException;
import io.cortado.api.Prompt;
import io.cortado.text.Origin;
import io.cortado.text.Segment;
import io.cortado.text.jinja.ChatTemplate;
import io.cortado.text.jinja.ChatTemplates;
import io.cortado.text.jinja.Rendered;
import io.cortado.text.jinja.TemplateException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A conversation as the model's template writes it, each piece with its origin. */
final class ChatRenderer {
    private final ChatTemplates templates;

    ChatRenderer(ChatTemplates templates) {
        this.templates = templates;
    }

    boolean hasTemplate() {
        return templates.choose(false, false).isPresent();
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
        Map<String, @Nullable Object> variables = new HashMap<>(chat.templateVariables());
        variables.put("messages", chat.messages());
        variables.put("add_generation_prompt", chat.addGenerationPrompt());
        // Templates ask whether they are none: transformers always defines both.
        variables.put("tools", chat.tools().isEmpty() ? null : chat.tools());
        variables.put("documents", chat.documents().isEmpty() ? null : chat.documents());
        try {
            Rendered rendered = templates.render(template(chat), variables);
            return chat.continueFinalMessage() ? cutAfterLast(rendered, chat) : rendered.segments();
        } catch (TemplateException e) {
            throw new EngineException(
                    EngineException.Code.INVALID_REQUEST,
                    "the chat template refuses the messages: " + e.getMessage(),
                    "messages",
                    e);
        }
    }

    private ChatTemplate template(Prompt.Chat chat) {
        String asked = chat.template();
        if (asked == null) {
            return templates
                    .choose(!chat.tools().isEmpty(), !chat.documents().isEmpty())
                    .orElseThrow(() ->
                            EngineException.invalid("messages", "the model has no chat template"));
        }
        return templates.find(asked).orElseGet(() -> compile(asked));
    }

    private ChatTemplate compile(String source) {
        if (!source.contains("{")) {
            throw EngineException.invalid(
                    "chat_template",
                    "chat_template must be a template or one of the model's names: names="
                            + templates.names());
        }
        try {
            return templates.compile(source);
        } catch (TemplateException e) {
            throw new EngineException(
                    EngineException.Code.INVALID_REQUEST,
                    "chat_template is not acceptable: " + e.getMessage(),
                    "chat_template",
                    e);
        }
    }

    /** What the template writes after the last message would close it. */
    private static List<Segment> cutAfterLast(Rendered rendered, Prompt.Chat chat) {
        String content = lastText(chat.messages().getLast().get("content"));
        String last = content.strip();
        int at = last.isEmpty() ? -1 : lastOfClient(rendered, last);
        if (at < 0) {
            throw EngineException.invalid(
                    "continue_final_message",
                    "the last message's content must be text that the template shows as it is");
        }
        // White space at the end stays where the template keeps it.
        String whole = content.stripLeading();
        int left = at + (rendered.text().startsWith(whole, at) ? whole : last).length();
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

    /** The text of a message, or of the last part of one that has any. */
    private static String lastText(@Nullable Object content) {
        if (content instanceof List<?> parts) {
            for (Object part : parts.reversed()) {
                if (part instanceof Map<?, ?> map && map.get("text") instanceof String text) {
                    return text;
                }
            }
        }
        return content instanceof String text ? text : "";
    }

    /**
     * The last place where a client's text holds {@code text}: the template's own does not count.
     */
    private static int lastOfClient(Rendered rendered, String text) {
        int end = rendered.text().length();
        int found = -1;
        for (Segment segment : rendered.segments().reversed()) {
            end -= segment.text().length();
            int inside = segment.origin() == Origin.USER ? segment.text().lastIndexOf(text) : -1;
            if (inside >= 0) {
                found = end + inside;
                break;
            }
        }
        return found;
    }
}
