package io.cortado.server;

import io.cortado.api.GenerationRequest;
import io.cortado.api.Reasoning;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a client asks for, checked.
 *
 * @param model the name that the client used
 * @param requests one per prompt, all with the same parameters
 * @param stream the answer goes out as server-sent events
 * @param includeUsage a stream ends with a usage chunk
 * @param sloClass the class whose targets count for it; null: none
 * @param form what the answers carry
 * @param constraintField the field that says what the output has to be; null: none does
 * @param reading how the text of a chat's answer is taken apart
 */
record Ask(
        String model,
        List<GenerationRequest> requests,
        boolean stream,
        boolean includeUsage,
        @Nullable String sloClass,
        Form form,
        @Nullable String constraintField,
        Reading reading) {

    /**
     * What an answer's text holds beside content.
     *
     * @param reasoning its markers; null: there is none
     * @param showsReasoning the client gets it
     * @param tools whose calls are read; null: text is text
     */
    record Reading(
            @Nullable Reasoning reasoning, boolean showsReasoning, @Nullable ToolChoice tools) {
        static final Reading PLAIN = new Reading(null, false, null);
    }

    /**
     * What the answers carry beside text.
     *
     * @param logprobs log-probabilities of the output
     * @param echo the prompt comes first
     * @param promptLogprobs log-probabilities of the prompt, in their own field
     * @param tokenIds ids of prompt and output
     * @param cost what the request has cost is part of its usage
     * @param kvTransfer JSON to give back as kv_transfer_params in a whole answer; null: none
     */
    record Form(
            boolean logprobs,
            boolean echo,
            boolean promptLogprobs,
            boolean tokenIds,
            boolean cost,
            @Nullable String kvTransfer) {}

    /** Answers per prompt. */
    int n() {
        return requests.getFirst().params().n();
    }

    int maxTokens() {
        return requests.getFirst().params().maxTokens();
    }
}
