package io.cortado.api;

import org.jspecify.annotations.Nullable;

/**
 * Which log-probabilities are told.
 *
 * @param logprobs null: none; k in [0, 20]: of the sampled token and the k likeliest
 * @param promptLogprobs null: none; k in [0, 20]: of each prompt token and the k likeliest; always
 *     of the raw logits
 * @param mode what those of the output are of
 */
public record Scoring(@Nullable Integer logprobs, @Nullable Integer promptLogprobs, Mode mode) {

    public static final Scoring NONE = new Scoring(null, null, Mode.RAW);

    private static final int MAX_LOGPROBS = 20;

    /** What log-probabilities are of. */
    public enum Mode {
        /** The model's own distribution over the tokens that are not banned. */
        RAW("raw_logprobs"),
        /** The distribution that was drawn from: after penalties, temperature and truncation. */
        PROCESSED("processed_logprobs");

        private final String apiName;

        Mode(String apiName) {
            this.apiName = apiName;
        }

        /** vLLM's word for it. */
        public String apiName() {
            return apiName;
        }

        /** The mode of a word; null: raw. */
        public static Mode of(@Nullable String name) {
            for (Mode mode : values()) {
                if (name == null || mode.apiName.equals(name)) {
                    return mode;
                }
            }
            throw EngineException.invalid(
                    "logprobs_mode",
                    "logprobs_mode must be %s or %s: logprobs_mode=%s"
                            .formatted(RAW.apiName, PROCESSED.apiName, name));
        }
    }

    public Scoring {
        requireCount("logprobs", logprobs);
        requireCount("prompt_logprobs", promptLogprobs);
    }

    private static void requireCount(String name, @Nullable Integer count) {
        if (count != null) {
            Ranges.within(name, 0, MAX_LOGPROBS, count);
        }
    }

    public Scoring logprobs(@Nullable Integer value) {
        return new Scoring(value, promptLogprobs, mode);
    }

    public Scoring promptLogprobs(@Nullable Integer value) {
        return new Scoring(logprobs, value, mode);
    }

    public Scoring mode(Mode value) {
        return new Scoring(logprobs, promptLogprobs, value);
    }
}
