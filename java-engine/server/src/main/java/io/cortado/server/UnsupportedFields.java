package io.cortado.server;

import java.util.Set;
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
        "guided_json",
        "guided_regex",
        "guided_choice",
        "guided_grammar",
        "guided_decoding_backend",
        "guided_whitespace_pattern",
        "structured_outputs",
        "structural_tag",
        "grammar",
        "json_schema",
        "suffix",
        "truncate_prompt_tokens",
        "bad_words",
        "allowed_token_ids",
        "logits_processors",
        "prompt_embeds",
        "mm_processor_kwargs",
        "media_io_kwargs",
        "kv_transfer_params",
        "vllm_xargs",
        "thinking_token_budget",
        "thinking",
        "typical_p",
        "mirostat",
        "mirostat_tau",
        "mirostat_eta",
        "top_a",
        "xtc_probability",
        "dry_multiplier",
        "dynatemp_range",
        "repetition_detection",
        "length_penalty"
    };

    private UnsupportedFields() {}

    static void refuse(Fields fields) {
        for (String name : ABSENT_ONLY) {
            if (fields.has(name)) {
                throw ApiError.unsupported(fields.path(name), "leave it out");
            }
        }
        neutral(fields, "presence_penalty", -2, 2, 0);
        neutral(fields, "frequency_penalty", -2, 2, 0);
        neutral(fields, "repetition_penalty", 0, 100, 1);
        neutral(fields, "best_of", 1, 1e9, 1);
        mustBeFalse(fields, "store");
        mustBeFalse(fields, "use_beam_search");
        mustBeFalse(fields, "return_tokens_as_token_ids");
        responseFormat(fields);
        modalities(fields);
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

    private static void responseFormat(Fields fields) {
        Fields format = fields.object("response_format");
        if (format == null) {
            return;
        }
        String type =
                format.oneOf(
                        "type",
                        Set.of("text", "json_object", "json_schema", "grammar", "structural_tag"));
        if (type == null) {
            throw ApiError.invalid("response_format.type", "response_format.type is required.");
        }
        if (!type.equals("text")) {
            throw ApiError.unsupported("response_format", "only {\"type\":\"text\"} is taken");
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
