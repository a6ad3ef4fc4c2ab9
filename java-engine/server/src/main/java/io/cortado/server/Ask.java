package io.cortado.server;

import io.cortado.api.GenerationRequest;
import java.util.List;

/**
 * What a client asks for, checked.
 *
 * @param model the name that the client used
 * @param requests one per prompt, all with the same parameters
 * @param stream the answer goes out as server-sent events
 * @param includeUsage a stream ends with a usage chunk
 * @param form what the answers carry
 */
record Ask(
        String model,
        List<GenerationRequest> requests,
        boolean stream,
        boolean includeUsage,
        Form form) {

    /**
     * What the answers carry beside text.
     *
     * @param logprobs log-probabilities of the output
     * @param echo the prompt comes first
     * @param promptLogprobs log-probabilities of the prompt, in their own field
     * @param tokenIds ids of prompt and output
     */
    record Form(boolean logprobs, boolean echo, boolean promptLogprobs, boolean tokenIds) {}

    /** Answers per prompt. */
    int n() {
        return requests.getFirst().params().n();
    }

    int maxTokens() {
        return requests.getFirst().params().maxTokens();
    }
}
