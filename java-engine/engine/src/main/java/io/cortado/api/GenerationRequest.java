package io.cortado.api;

/**
 * One prompt and how to answer it.
 *
 * @param echo the prompt's text comes first in each answer
 * @param scheduling how it stands beside other requests
 * @param id the caller's name for it, which its {@link RequestReport} carries; need not be unique;
 *     at most 256 characters
 */
public record GenerationRequest(
        Prompt prompt, SamplingParams params, boolean echo, Scheduling scheduling, String id) {
    private static final int MAX_ID = 256;

    public GenerationRequest {
        if (id.length() > MAX_ID) {
            throw EngineException.invalid(
                    "id", "id must have at most %d characters: %d".formatted(MAX_ID, id.length()));
        }
    }

    public GenerationRequest(Prompt prompt, SamplingParams params) {
        this(prompt, params, false);
    }

    public GenerationRequest(Prompt prompt, SamplingParams params, boolean echo) {
        this(prompt, params, echo, Scheduling.DEFAULT, "");
    }

    public GenerationRequest params(SamplingParams value) {
        return new GenerationRequest(prompt, value, echo, scheduling, id);
    }

    public GenerationRequest scheduling(Scheduling value) {
        return new GenerationRequest(prompt, params, echo, value, id);
    }

    public GenerationRequest id(String value) {
        return new GenerationRequest(prompt, params, echo, scheduling, value);
    }
}
