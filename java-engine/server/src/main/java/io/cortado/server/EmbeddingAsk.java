package io.cortado.server;

import io.cortado.api.EmbeddingInfo;
import io.cortado.api.EmbeddingParams;
import io.cortado.api.EmbeddingRequest;
import io.cortado.api.Prompt;
import java.util.List;
import java.util.Set;

/**
 * What a client of {@code /v1/embeddings} asks for, checked.
 *
 * @param model the name that the client used
 * @param isBase64 numbers go out as little-endian float32 in base64, not as JSON numbers
 * @param dimensions of each embedding
 */
record EmbeddingAsk(String model, EmbeddingRequest request, boolean isBase64, int dimensions) {
    /** As OpenAI has it. */
    private static final int MAX_INPUTS = 2048;

    /** Known elsewhere; what they ask for is not built. */
    private static final List<String> ABSENT_ONLY =
            List.of(
                    "messages",
                    "chat_template",
                    "chat_template_kwargs",
                    "truncate_prompt_tokens",
                    "truncation_side",
                    "mm_processor_kwargs",
                    "additional_data",
                    "use_activation",
                    "cache_salt");

    /**
     * Reads all fields but the model's name.
     *
     * @param defaults of the operator, for what the request leaves open
     */
    static EmbeddingAsk read(
            String model,
            Fields fields,
            PromptReader reader,
            EmbeddingParams defaults,
            EmbeddingInfo info,
            SchedulingFields.Read scheduling) {
        for (String name : ABSENT_ONLY) {
            if (fields.has(name)) {
                throw ApiError.unsupported(name, "leave it out");
            }
        }
        only(fields, "embed_dtype", "float32");
        only(fields, "endianness", "little");
        String format = fields.oneOf("encoding_format", Set.of("float", "base64"));
        Long dimensions = fields.integer("dimensions", 1, Integer.MAX_VALUE);
        Boolean normalize = fields.bool("normalize");
        EmbeddingParams params =
                new EmbeddingParams(
                        defaults.pooling(),
                        normalize == null ? defaults.normalize() : normalize,
                        dimensions == null ? null : dimensions.intValue());
        info.check(params);
        List<Prompt> prompts = reader.prompts(fields, "input", MAX_INPUTS);
        return new EmbeddingAsk(
                model,
                new EmbeddingRequest(prompts, params, scheduling.scheduling()),
                "base64".equals(format),
                dimensions == null ? info.dimensions() : dimensions.intValue());
    }

    private static void only(Fields fields, String name, String value) {
        String asked = fields.string(name);
        if (asked != null && !asked.equals(value)) {
            throw ApiError.unsupported(name, "only \"" + value + "\" is taken");
        }
    }
}
