package io.cortado.api;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What a generation starts from. */
public sealed interface Prompt {

    /** Ids as they are; at least one, each in [0, vocabulary). */
    record Tokens(int[] ids) implements Prompt {}

    /** Plain text: the user's, so it never becomes a control token. */
    record Text(String text, boolean addSpecialTokens) implements Prompt {}

    /**
     * A conversation for the model's chat template. Values are null, Boolean, Long, Double, String,
     * List and Map.
     *
     * @param messages each a map with {@code role} and {@code content}, as in the OpenAI API
     * @param tools tool definitions, or empty
     * @param templateVariables further variables of the template ({@code chat_template_kwargs})
     * @param addGenerationPrompt ends with the opening of the assistant's turn
     * @param continueFinalMessage leaves the last message open, so that the answer goes on with it
     * @param documents what the answer may rely upon, or empty; each a map, mostly with {@code
     *     title} and {@code text}
     * @param template the name of one of the model's templates, or the text of another one, which
     *     may write control tokens; null: the model's template for such a conversation
     */
    record Chat(
            List<Map<String, Object>> messages,
            List<Map<String, Object>> tools,
            Map<String, Object> templateVariables,
            boolean addGenerationPrompt,
            boolean continueFinalMessage,
            List<Map<String, Object>> documents,
            @Nullable String template)
            implements Prompt {

        /** A chat without documents, for the model's own template. */
        public Chat(
                List<Map<String, Object>> messages,
                List<Map<String, Object>> tools,
                Map<String, Object> templateVariables,
                boolean addGenerationPrompt,
                boolean continueFinalMessage) {
            this(
                    messages,
                    tools,
                    templateVariables,
                    addGenerationPrompt,
                    continueFinalMessage,
                    List.of(),
                    null);
        }
    }

    static Prompt tokens(int... ids) {
        return new Tokens(ids);
    }

    static Prompt text(String text) {
        return new Text(text, true);
    }

    /** A chat of one user turn. */
    static Chat user(String content) {
        return new Chat(
                List.of(Map.of("role", "user", "content", content)),
                List.of(),
                Map.of(),
                true,
                false);
    }
}
