package io.cortado.model;

import io.cortado.device.Weights;
import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * How a checkpoint's matrices are quantised, as {@code quantization_config} says it. Which of them
 * are is seen from the tensors: a module has either quantised ones or a plain {@code weight}, so
 * that lists of modules to leave alone need not be interpreted.
 */
sealed interface Quantization permits Fp8Weights, Int4Weights {
    /** The module's matrix [rows][cols], or null if it is stored as a plain weight. */
    Weights.@Nullable Part matrix(QuantizedTensors tensors, String module, long rows, long cols);

    /** What {@link #matrix} would give, without its numbers. */
    Weights.@Nullable Shape shapeOf(QuantizedTensors tensors, String module, long rows, long cols);

    /** The module has packed codes in place of a weight. */
    boolean isPacked(QuantizedTensors tensors, String module);

    /**
     * Null: nothing is quantised. Refuses what it does not read by name.
     *
     * @param modelType whose experts alone are stored in MXFP4: gpt_oss
     */
    static @Nullable Quantization read(ConfigJson config, String modelType) {
        ConfigJson c = config.object("quantization_config");
        ConfigJson old = config.object("compression_config");
        if (c != null && old != null) {
            throw ModelException.unsupported(
                    config.where() + ": compression_config beside quantization_config");
        }
        ConfigJson used = c != null ? c : old;
        if (used == null) {
            return null;
        }
        String method = used.text("quant_method");
        return switch (method == null ? "" : method.toLowerCase(Locale.ROOT)) {
            case "fp8" -> Fp8Config.read(used);
            case "compressed-tensors" -> CompressedConfig.read(used);
            case "awq" -> AwqConfig.read(used);
            case "gptq" -> GptqConfig.read(used);
            case "mxfp4" -> mxfp4(used, modelType);
            default ->
                    throw ModelException.unsupported(
                            ("%s: quant_method must be fp8, compressed-tensors, awq, gptq or"
                                            + " mxfp4 here: quant_method=%s")
                                    .formatted(used.where(), method));
        };
    }

    /** Only experts are stored so, all of a layer in one tensor: {@link FusedExperts} sees it. */
    private static @Nullable Quantization mxfp4(ConfigJson c, String modelType) {
        if (!modelType.equals("gpt_oss")) {
            throw ModelException.unsupported(
                    "%s: quant_method=mxfp4 is for model_type=gpt_oss: model_type=%s"
                            .formatted(c.where(), modelType));
        }
        c.ignore(Set.of("modules_to_not_convert", "quant_method"));
        c.refuseWhatNobodyUnderstood();
        return null;
    }
}
