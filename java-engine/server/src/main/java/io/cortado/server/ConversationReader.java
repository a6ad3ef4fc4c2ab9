package io.cortado.server;

import io.cortado.api.Prompt;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** Reads a conversation and what its template is to know. */
final class ConversationReader {
    private static final Set<String> EFFORTS =
            Set.of("none", "minimal", "low", "medium", "high", "xhigh", "max");
    private static final Set<String> VERBOSITIES = Set.of("low", "medium", "high");
    private static final int MAX_DOCUMENTS = 256;
    private static final List<String> CHAT_ONLY = List.of("documents", "chat_template");

    /** What the template gets from elsewhere, or what would change how it is used. */
    private static final Set<String> RESERVED_VARIABLES =
            Set.of(
                    "messages",
                    "tools",
                    "tokenize",
                    "chat_template",
                    "conversation",
                    "documents",
                    "add_generation_prompt",
                    "continue_final_message",
                    "return_dict",
                    "return_tensors",
                    "padding",
                    "truncation",
                    "max_length",
                    "tokenizer_kwargs",
                    "bos_token",
                    "eos_token",
                    "pad_token",
                    "unk_token",
                    "raise_exception",
                    "strftime_now",
                    "namespace",
                    "range");

    private final boolean trustsTemplates;

    ConversationReader(boolean trustsTemplates) {
        this.trustsTemplates = trustsTemplates;
    }

    /** The conversation of a chat request. */
    Prompt.Chat read(Fields fields) {
        List<Map<String, Object>> messages = ChatMessages.read(fields);
        List<Map<String, Object>> tools = ChatTools.read(fields);
        boolean continued = fields.bool("continue_final_message", false);
        Boolean generationPrompt = fields.bool("add_generation_prompt");
        if (continued && Boolean.TRUE.equals(generationPrompt)) {
            throw ApiError.invalid(
                    "continue_final_message",
                    "continue_final_message and add_generation_prompt must not both be true.");
        }
        if (fields.bool("add_special_tokens", false)) {
            throw ApiError.unsupported("add_special_tokens", "the chat template adds them");
        }
        return new Prompt.Chat(
                messages,
                tools,
                variables(fields),
                generationPrompt == null ? !continued : generationPrompt,
                continued,
                documents(fields),
                template(fields));
    }

    private static List<Map<String, Object>> documents(Fields fields) {
        List<Map<String, Object>> documents = new ArrayList<>();
        for (JsonNode document : fields.array("documents", MAX_DOCUMENTS)) {
            fields.require(
                    document instanceof ObjectNode, "documents", "an array of objects", document);
            documents.add(Json.plainMap((ObjectNode) document));
        }
        return documents;
    }

    /** A template's name or text. Its text could spell any control token, so it needs trust. */
    private @Nullable String template(Fields fields) {
        String template = fields.string("chat_template");
        if (template != null && !trustsTemplates) {
            throw ApiError.invalid(
                    "chat_template",
                    "chat_template is refused: templates of requests are taken only by a server"
                            + " started with --trust-request-chat-template.");
        }
        return template;
    }

    /** These fields mean nothing where there is no conversation. */
    static void refuseOutsideChats(Fields fields) {
        for (String name : CHAT_ONLY) {
            if (fields.has(name)) {
                throw ApiError.unsupported(name, "it is for conversations");
            }
        }
    }

    private static Map<String, Object> variables(Fields fields) {
        Map<String, Object> variables = new LinkedHashMap<>();
        Fields asked = fields.object("chat_template_kwargs");
        if (asked != null) {
            for (String name : asked.raw().propertyNames()) {
                if (RESERVED_VARIABLES.contains(name)) {
                    throw ApiError.invalid(
                            "chat_template_kwargs",
                            "chat_template_kwargs must not set " + name + ".");
                }
            }
            variables.putAll(Json.plainMap(asked.raw()));
        }
        putIfGiven(variables, "reasoning_effort", fields.oneOf("reasoning_effort", EFFORTS));
        putIfGiven(variables, "verbosity", fields.oneOf("verbosity", VERBOSITIES));
        return variables;
    }

    private static void putIfGiven(
            Map<String, Object> variables, String name, @Nullable String value) {
        if (value != null) {
            variables.put(name, value);
        }
    }
}
