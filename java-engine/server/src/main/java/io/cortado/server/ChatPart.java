package io.cortado.server;

/** A piece of an answer as a chat's message has it. */
sealed interface ChatPart {
    record Content(String text) implements ChatPart {}

    record Reasoning(String text) implements ChatPart {}

    /** A tool call begins. */
    record CallOpened(int index, String id, String name) implements ChatPart {}

    /** More of the JSON of its arguments. */
    record CallArguments(int index, String json) implements ChatPart {}
}
