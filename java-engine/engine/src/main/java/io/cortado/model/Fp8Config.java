package io.cortado.model;

import java.util.List;
import java.util.Set;
import tools.jackson.databind.JsonNode;

/** {@code quant_method} fp8: DeepSeek-V3, Qwen3-FP8 and AutoFP8. */
final class Fp8Config {
    private Fp8Config() {}

    static Quantization read(ConfigJson c) {
        // How a server may quantise activations, which nothing here does.
        c.requireOneOf("activation_scheme", "dynamic", "static");
        c.requireOneOf("scale_fmt", "ue8m0", "float");
        c.requireOneOf("fmt", "e4m3", "float8_e4m3fn");
        c.texts("modules_to_not_convert");
        c.texts("ignored_layers");
        c.ignore(Set.of("quant_method", "dequantize"));
        Fp8Weights weights = blocks(c);
        c.refuseWhatNobodyUnderstood();
        return weights;
    }

    private static Fp8Weights blocks(ConfigJson c) {
        JsonNode block = c.find("weight_block_size");
        if (block == null) {
            return Fp8Weights.byMatrixOrRow(List.of("weight_scale", "weight_scale_inv"));
        }
        return Fp8Weights.byBlock(
                c.positivePair("weight_block_size"), List.of("weight_scale_inv", "weight_scale"));
    }
}
