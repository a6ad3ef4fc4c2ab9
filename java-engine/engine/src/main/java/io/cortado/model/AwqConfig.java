package io.cortado.model;

import java.util.Set;

/** {@code quant_method} awq as AutoAWQ packs it for its gemm kernel. */
final class AwqConfig {
    private AwqConfig() {}

    static Quantization read(ConfigJson c) {
        c.requireNumber("bits", 4);
        c.requireOneOf("version", "gemm", "GEMM");
        c.requireOneOf("backend", "autoawq");
        c.require("zero_point", true);
        c.texts("modules_to_not_convert");
        c.ignore(
                Set.of(
                        "quant_method",
                        "do_fuse",
                        "exllama_config",
                        "fuse_max_seq_len",
                        "modules_to_fuse"));
        Int4Weights weights = new Int4Weights(Int4Weights.Layout.AWQ, Int4Weights.groupSize(c), 0);
        c.refuseWhatNobodyUnderstood();
        return weights;
    }
}
