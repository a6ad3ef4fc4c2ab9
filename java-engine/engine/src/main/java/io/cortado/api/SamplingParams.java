package io.cortado.api;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * How tokens are chosen and when to stop. Names and ranges are vLLM's.
 *
 * @param n answers to one prompt, 1 to 128
 * @param temperature 0 to 2; below 1e-5 greedy
 * @param topP in (0, 1]; 1: off
 * @param topK at least 1; 0 or -1: off
 * @param minP in [0, 1]; 0: off
 * @param seed makes the answer reproducible whatever shares the batch; null: a new one
 * @param maxTokens output tokens at most, at least 1 (0 only with {@link GenerationRequest#echo});
 *     {@link Integer#MAX_VALUE}: what the context leaves
 * @param minTokens no end and no stop token before so many
 * @param stop strings that end the output; at most 16, none empty
 * @param stopTokenIds ids that end the output, beside the model's own
 * @param includeStop the matched stop string is part of the output
 * @param ignoreEos the model's end ids do not end the output
 * @param logprobs null: none; k in [0, 20]: of the sampled token and the k likeliest
 * @param promptLogprobs null: none; k in [0, 20]: of each prompt token and the k likeliest
 * @param logitBias added to the logits of these ids; -100 and below bans
 * @param skipSpecialTokens control tokens give no text
 */
public record SamplingParams(
        int n,
        float temperature,
        float topP,
        int topK,
        float minP,
        @Nullable Long seed,
        int maxTokens,
        int minTokens,
        List<String> stop,
        List<Integer> stopTokenIds,
        boolean includeStop,
        boolean ignoreEos,
        @Nullable Integer logprobs,
        @Nullable Integer promptLogprobs,
        Map<Integer, Float> logitBias,
        boolean skipSpecialTokens) {

    private static final int MAX_N = 128;
    private static final int MAX_LOGPROBS = 20;
    private static final int MAX_STOPS = 16;
    private static final int MAX_BIAS = 1024;

    public SamplingParams {
        stop = List.copyOf(stop);
        stopTokenIds = List.copyOf(stopTokenIds);
        logitBias = Map.copyOf(logitBias);
        require(n >= 1 && n <= MAX_N, "n", "in [1, " + MAX_N + "]", n);
        require(temperature >= 0 && temperature <= 2, "temperature", "in [0, 2]", temperature);
        require(topP > 0 && topP <= 1, "top_p", "in (0, 1]", topP);
        require(topK >= -1, "top_k", "-1, 0 or positive", topK);
        require(minP >= 0 && minP <= 1, "min_p", "in [0, 1]", minP);
        require(maxTokens >= 0, "max_tokens", "at least 1", maxTokens);
        require(
                minTokens >= 0 && minTokens <= maxTokens,
                "min_tokens",
                "in [0, max_tokens=" + maxTokens + "]",
                minTokens);
        require(stop.size() <= MAX_STOPS, "stop", "at most " + MAX_STOPS + " strings", stop.size());
        require(
                stop.stream().noneMatch(String::isEmpty),
                "stop",
                "strings that are not empty",
                "\"\"");
        require(
                stopTokenIds.size() <= MAX_STOPS,
                "stop_token_ids",
                "at most " + MAX_STOPS + " ids",
                stopTokenIds.size());
        require(
                logprobs == null || (logprobs >= 0 && logprobs <= MAX_LOGPROBS),
                "logprobs",
                "in [0, " + MAX_LOGPROBS + "]",
                String.valueOf(logprobs));
        require(
                promptLogprobs == null || (promptLogprobs >= 0 && promptLogprobs <= MAX_LOGPROBS),
                "prompt_logprobs",
                "in [0, " + MAX_LOGPROBS + "]",
                String.valueOf(promptLogprobs));
        require(
                logitBias.size() <= MAX_BIAS,
                "logit_bias",
                "at most " + MAX_BIAS + " entries",
                logitBias.size());
        for (Map.Entry<Integer, Float> bias : logitBias.entrySet()) {
            require(
                    bias.getValue() >= -100 && bias.getValue() <= 100,
                    "logit_bias",
                    "values in [-100, 100]",
                    bias.getValue());
        }
    }

    private static void require(boolean holds, String name, String limit, Object value) {
        if (!holds) {
            throw EngineException.invalid(
                    name, name + " must be " + limit + ": " + name + "=" + value);
        }
    }

    /** True if the row takes the likeliest token. */
    public boolean isGreedy() {
        return temperature < 1e-5f;
    }

    public static Builder builder() {
        return new Builder();
    }

    /** The likeliest token at each step, at most {@code maxTokens} of them. */
    public static SamplingParams greedy(int maxTokens) {
        return builder().temperature(0).maxTokens(maxTokens).build();
    }

    public Builder toBuilder() {
        Builder b = new Builder();
        b.n = n;
        b.temperature = temperature;
        b.topP = topP;
        b.topK = topK;
        b.minP = minP;
        b.seed = seed;
        b.maxTokens = maxTokens;
        b.minTokens = minTokens;
        b.stop = stop;
        b.stopTokenIds = stopTokenIds;
        b.includeStop = includeStop;
        b.ignoreEos = ignoreEos;
        b.logprobs = logprobs;
        b.promptLogprobs = promptLogprobs;
        b.logitBias = logitBias;
        b.skipSpecialTokens = skipSpecialTokens;
        return b;
    }

    /** Collects parameters; {@link #build} checks them. */
    public static final class Builder {
        private int n = 1;
        private float temperature = 1;
        private float topP = 1;
        private int topK = 0;
        private float minP = 0;
        private @Nullable Long seed;
        private int maxTokens = 16;
        private int minTokens = 0;
        private List<String> stop = List.of();
        private List<Integer> stopTokenIds = List.of();
        private boolean includeStop;
        private boolean ignoreEos;
        private @Nullable Integer logprobs;
        private @Nullable Integer promptLogprobs;
        private Map<Integer, Float> logitBias = Map.of();
        private boolean skipSpecialTokens = true;

        private Builder() {}

        public Builder n(int value) {
            n = value;
            return this;
        }

        public Builder temperature(float value) {
            temperature = value;
            return this;
        }

        public Builder topP(float value) {
            topP = value;
            return this;
        }

        public Builder topK(int value) {
            topK = value;
            return this;
        }

        public Builder minP(float value) {
            minP = value;
            return this;
        }

        public Builder seed(@Nullable Long value) {
            seed = value;
            return this;
        }

        public Builder maxTokens(int value) {
            maxTokens = value;
            return this;
        }

        public Builder minTokens(int value) {
            minTokens = value;
            return this;
        }

        public Builder stop(List<String> value) {
            stop = value;
            return this;
        }

        public Builder stopTokenIds(List<Integer> value) {
            stopTokenIds = value;
            return this;
        }

        public Builder includeStop(boolean value) {
            includeStop = value;
            return this;
        }

        public Builder ignoreEos(boolean value) {
            ignoreEos = value;
            return this;
        }

        public Builder logprobs(@Nullable Integer value) {
            logprobs = value;
            return this;
        }

        public Builder promptLogprobs(@Nullable Integer value) {
            promptLogprobs = value;
            return this;
        }

        public Builder logitBias(Map<Integer, Float> value) {
            logitBias = value;
            return this;
        }

        public Builder skipSpecialTokens(boolean value) {
            skipSpecialTokens = value;
            return this;
        }

        public SamplingParams build() {
            return new SamplingParams(
                    n,
                    temperature,
                    topP,
                    topK,
                    minP,
                    seed,
                    maxTokens,
                    minTokens,
                    stop,
                    stopTokenIds,
                    includeStop,
                    ignoreEos,
                    logprobs,
                    promptLogprobs,
                    logitBias,
                    skipSpecialTokens);
        }
    }
}
