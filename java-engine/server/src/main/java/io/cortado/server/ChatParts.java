package io.cortado.server;

import io.cortado.text.HermesCalls;
import io.cortado.text.ReasoningText;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;

/** Takes the text of one answer apart as it comes: reasoning, content and tool calls. */
final class ChatParts {
    private static final int ID_BITS = 96;

    private final @Nullable ReasoningText reasoning;
    private final @Nullable HermesCalls calls;

    /**
     * @param reasoning null: it has none
     * @param calls null: all that is no reasoning is content
     */
    ChatParts(@Nullable ReasoningText reasoning, @Nullable HermesCalls calls) {
        this.reasoning = reasoning;
        this.calls = calls;
    }

    boolean hasCalls() {
        return calls != null && calls.calls() > 0;
    }

    List<ChatPart> feed(String text) {
        List<ChatPart> parts = new ArrayList<>();
        if (reasoning == null) {
            answer(text, parts);
        } else {
            reasoning.feed(text).forEach(part -> take(part, parts));
        }
        return parts;
    }

    /** What was held back, once the answer has ended. */
    List<ChatPart> flush() {
        List<ChatPart> parts = new ArrayList<>();
        if (reasoning != null) {
            reasoning.flush().forEach(part -> take(part, parts));
        }
        if (calls != null) {
            calls.flush().forEach(part -> parts.add(of(part)));
        }
        return parts;
    }

    private void take(ReasoningText.Part part, List<ChatPart> parts) {
        if (part.isReasoning()) {
            parts.add(new ChatPart.Reasoning(part.text()));
        } else {
            answer(part.text(), parts);
        }
    }

    private void answer(String text, List<ChatPart> parts) {
        if (calls != null) {
            calls.feed(text).forEach(part -> parts.add(of(part)));
        } else if (!text.isEmpty()) {
            parts.add(new ChatPart.Content(text));
        }
    }

    private static ChatPart of(HermesCalls.Part part) {
        return switch (part) {
            case HermesCalls.Part.Text(String text) -> new ChatPart.Content(text);
            case HermesCalls.Part.Opened(int index, String name) ->
                    new ChatPart.CallOpened(index, newId(), name);
            case HermesCalls.Part.Arguments(int index, String json) ->
                    new ChatPart.CallArguments(index, json);
        };
    }

    /** Only to tell calls apart. */
    private static String newId() {
        return "call_" + new BigInteger(ID_BITS, ThreadLocalRandom.current()).toString(36);
    }
}
