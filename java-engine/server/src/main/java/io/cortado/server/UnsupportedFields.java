package io.cortado.server;

import java.util.Map;
import tools.jackson.databind.JsonNode;

/** Fields that are known and whose effect is not built: refused by name, never ignored. */
final class UnsupportedFields {
    private static final String[] ABSENT_ONLY = {
        "audio",
        "prediction",
        "web_search_options",
        "functions",
        "function_call",
        "moderation",
        "guided_decoding_backend",
        "guided_whitespace_pattern",
        "structural_tag",
        "suffix",
        "truncate_prompt_tokens",
        "prompt_embeds",
        "mm_processor_kwargs",
        "media_io_kwargs",
        "vllm_xargs",
        "thinking_token_budget",
        "thinking",
        "top_a",
        "min_keep",
        "adaptive_target",
        "adaptive_decay",
        "no_repeat_ngram_size",
        "repetition_detection"
    };

    /** llama.cpp's names of what has one of vLLM's. */
    private static final Map<String, String> OTHER_NAMES =
            Map.of(
                    "repeat_penalty", "repetition_penalty",
                    "repeat_last_n", "repetition_penalty, which looks at all tokens",
                    "post_sampling_probs", "logprobs_mode",
                    "n_probs", "logprobs",
                    "n_predict", "max_tokens",
                    "penalize_nl", "logit_bias");

    private UnsupportedFields() {}

    static void refuse(Fields fields) {
        for (String name : ABSENT_ONLY) {
            if (fields.has(name)) {
                throw ApiError.unsupported(fields.path(name), "leave it out");
            }
        }
        for (Map.Entry<String, String> other : OTHER_NAMES.entrySet()) {
            if (fields.has(other.getKey())) {
                throw ApiError.unsupported(other.getKey(), "use " + other.getValue());
            }
        }
        mustBeFalse(fields, "store");
        beamSearch(fields);
        mustBeFalse(fields, "return_tokens_as_token_ids");
        modalities(fields);
    }

    private static void beamSearch(Fields fields) {
        if (fields.bool("use_beam_search", false)) {
            throw ApiError.unsupported(
                    "use_beam_search",
                    "only false is taken: each step would have to wait on the host for the one"
                            + " before and move the beams' keys and values, which slows every"
                            + " other request; best_of=N ranks N samples by their probability");
        }
        neutral(fields, "length_penalty", -100, 100, 1);
        mustBeFalse(fields, "early_stopping");
    }

    private static void neutral(Fields fields, String name, double low, double high, double off) {
        Double value = fields.number(name, low, high);
        if (value != null && value != off) {
            throw ApiError.unsupported(name, "only " + (long) off + " is taken");
        }
    }

    private static void mustBeFalse(Fields fields, String name) {
        if (fields.bool(name, false)) {
            throw ApiError.unsupported(name, "only false is taken");
        }
    }

    private static void modalities(Fields fields) {
        for (JsonNode modality : fields.array("modalities", 8)) {
            fields.require(modality.isString(), "modalities", "an array of strings", modality);
            if (!modality.stringValue().equals("text")) {
                throw ApiError.unsupported("modalities", "only \"text\" is taken");
            }
        }
    }
}
