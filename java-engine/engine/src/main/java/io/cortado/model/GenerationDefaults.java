package io.cortado.model;

import org.jspecify.annotations.Nullable;

/** Sampling as {@code generation_config.json} recommends it; null where it says nothing. */
public record GenerationDefaults(
        @Nullable Boolean doSample,
        @Nullable Double temperature,
        @Nullable Double topP,
        @Nullable Integer topK,
        @Nullable Double minP,
        @Nullable Double repetitionPenalty) {

    static GenerationDefaults read(ConfigJson c) {
        return new GenerationDefaults(
                c.has("do_sample") ? (Boolean) c.flag("do_sample", false) : null,
                numberOrNull(c, "temperature", 100),
                numberOrNull(c, "top_p", 1),
                c.has("top_k") ? (Integer) c.integer("top_k", -1, 1 << 24, 0) : null,
                numberOrNull(c, "min_p", 1),
                numberOrNull(c, "repetition_penalty", 100));
    }

    private static @Nullable Double numberOrNull(ConfigJson c, String key, double high) {
        return c.has(key) ? (Double) c.number(key, 0, high) : null;
    }
}
