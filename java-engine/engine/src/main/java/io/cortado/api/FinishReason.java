package io.cortado.api;

/** Why an answer ended. */
public sealed interface FinishReason {

    /** The model ended its turn with an end or stop id. */
    record EndToken(int id) implements FinishReason {}

    /** A stop string was met. */
    record StopString(String matched) implements FinishReason {}

    /** max_tokens or the context is used up. */
    record Length() implements FinishReason {}

    /** The caller cancelled. */
    record Cancelled() implements FinishReason {}

    /** The OpenAI API's word for it. */
    default String apiName() {
        return switch (this) {
            case EndToken _, StopString _ -> "stop";
            case Length _ -> "length";
            case Cancelled _ -> "abort";
        };
    }
}
