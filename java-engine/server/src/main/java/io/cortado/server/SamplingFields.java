package io.cortado.server;

import io.cortado.api.ModelInfo;
import io.cortado.api.SamplingParams;
import io.cortado.api.Scoring;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/** Sampling parameters of a request; what is absent is the model's own default. */
final class SamplingFields {
    private static final int MAX_STOP = 4;
    private static final int MAX_STOP_IDS = 16;
    private static final int MAX_PROCESSORS = 8;
    private static final int MAX_LOGPROBS = 20;
    private static final int MAX_STOP_CHARS = 4096;

    private SamplingFields() {}

    /**
     * @param stream the answer goes out as it comes
     */
    static SamplingParams.Builder read(
            Fields fields, ModelInfo model, int maxChoices, boolean stream) {
        SamplingParams.Builder params = model.defaults().toBuilder();
        int n = fields.integer("n", 1, maxChoices, 1);
        params.n(n).bestOf(bestOf(fields, n, maxChoices, stream));
        params.seed(fields.integer("seed", Long.MIN_VALUE, Long.MAX_VALUE));
        SamplerFields.read(fields, model.defaults(), params);
        params.tokens(TokenFields.read(fields, model));
        params.logitsProcessors(TokenFields.strings(fields, "logits_processors", MAX_PROCESSORS));
        params.stop(stop(fields));
        params.stopTokenIds(TokenFields.ids(fields, "stop_token_ids", MAX_STOP_IDS, model));
        params.includeStop(fields.bool("include_stop_str_in_output", false));
        params.ignoreEos(fields.bool("ignore_eos", false));
        params.skipSpecialTokens(fields.bool("skip_special_tokens", true));
        fields.bool("spaces_between_special_tokens");
        return params;
    }

    private static @Nullable Integer bestOf(Fields fields, int n, int maxChoices, boolean stream) {
        Long bestOf = fields.integer("best_of", n, maxChoices);
        if (bestOf != null && bestOf > n && stream) {
            throw ApiError.invalid(
                    "best_of", "best_of must be n=" + n + " with stream: true: best_of=" + bestOf);
        }
        return bestOf == null ? null : bestOf.intValue();
    }

    /** What log-probabilities are told, and of what. */
    static Scoring scoring(
            Fields fields, @Nullable Integer logprobs, @Nullable Integer promptLogprobs) {
        Scoring.Mode mode = Scoring.Mode.of(fields.string("logprobs_mode"));
        return new Scoring(logprobs, promptLogprobs, mode);
    }

    /** Sets both limits of the output's length. */
    static void lengths(
            Fields fields,
            SamplingParams.Builder params,
            int low,
            @Nullable Long asked,
            int absent) {
        int maxTokens =
                asked != null
                        ? asked.intValue()
                        : fields.integer("max_tokens", low, Integer.MAX_VALUE, absent);
        int minTokens = fields.integer("min_tokens", 0, Integer.MAX_VALUE, 0);
        if (minTokens > maxTokens) {
            throw ApiError.invalid(
                    "min_tokens",
                    "min_tokens must be in [0, max_tokens=" + maxTokens + "]: " + minTokens);
        }
        params.maxTokens(maxTokens).minTokens(minTokens);
    }

    static @Nullable Integer promptLogprobs(Fields fields, boolean stream) {
        Long k = fields.integer("prompt_logprobs", 0, MAX_LOGPROBS);
        if (k != null && stream) {
            throw ApiError.invalid(
                    "prompt_logprobs", "prompt_logprobs is not available with stream: true.");
        }
        return k == null ? null : k.intValue();
    }

    private static List<String> stop(Fields fields) {
        JsonNode node = fields.node("stop");
        if (node == null) {
            return List.of();
        }
        if (node.isString()) {
            return List.of(stopString(fields, node));
        }
        List<String> stops = new ArrayList<>();
        for (JsonNode element : fields.array("stop", MAX_STOP)) {
            stops.add(stopString(fields, element));
        }
        return stops;
    }

    private static String stopString(Fields fields, JsonNode node) {
        fields.require(node.isString(), "stop", "a string or an array of strings", node);
        String stop = node.stringValue();
        if (stop.isEmpty() || stop.length() > MAX_STOP_CHARS) {
            throw ApiError.invalid(
                    "stop",
                    "stop must be strings of 1 to "
                            + MAX_STOP_CHARS
                            + " characters: "
                            + stop.length());
        }
        return stop;
    }
}
