package io.cortado.api;

import java.util.Locale;

/** How keys and values are stored between steps; the arithmetic on them is the activations'. */
public enum KvCacheDtype {
    /** The activations' own type. */
    AUTO("auto"),
    F32("f32"),
    BF16("bf16"),
    F16("f16"),
    /**
     * One byte: 3 bits of fraction, at most 448, beyond which numbers saturate; scale 1. Half the
     * memory of two-byte types, for a difference in the logits that {@code bench kv-quality}
     * prints.
     */
    FP8_E4M3("fp8_e4m3");

    private static final String KNOWN = "auto, bf16, f16, f32, fp8 or fp8_e4m3";

    private final String text;

    KvCacheDtype(String text) {
        this.text = text;
    }

    /** By vLLM's names and ours. */
    public static KvCacheDtype parse(String name) {
        return switch (name.toLowerCase(Locale.ROOT)) {
            case "auto" -> AUTO;
            case "f32", "float32" -> F32;
            case "bf16", "bfloat16" -> BF16;
            case "f16", "float16" -> F16;
            case "fp8", "fp8_e4m3" -> FP8_E4M3;
            default ->
                    throw EngineException.invalid(
                            "kv-cache-dtype",
                            "kv-cache-dtype must be " + KNOWN + ": kv-cache-dtype=" + name);
        };
    }

    @Override
    public String toString() {
        return text;
    }
}
