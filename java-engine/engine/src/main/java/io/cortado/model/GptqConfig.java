package io.cortado.model;

import java.util.Set;

/** {@code quant_method} gptq of AutoGPTQ and GPTQModel, versions 1 and 2 of its zeros. */
final class GptqConfig {
    /** What the quantiser did or would do, which the tensors do not depend on. */
    private static final Set<String> HARMLESS =
            Set.of(
                    ("quant_method sym damp_percent damp_auto_increment true_sequential static_groups"
                                    + " model_file_base_name model_name_or_path meta dataset tokenizer"
                                    + " block_name_to_quantize module_name_preceding_first_block"
                                    + " modules_in_block_to_quantize batch_size pad_token_id use_exllama"
                                    + " disable_exllama exllama_config max_input_length cache_block_outputs"
                                    + " use_cuda_fp16 model_seqlen backend desc_act mse act_group_aware"
                                    + " offload_to_disk offload_to_disk_path pack_impl device")
                            .split(" "));

    private GptqConfig() {}

    static Quantization read(ConfigJson c) {
        c.requireNumber("bits", 4);
        c.require("lm_head", false);
        c.require("is_marlin_format", false);
        c.requireOneOf("pack_dtype", "int32");
        c.requireOneOf("checkpoint_format", "gptq", "gptq_v2");
        c.requireOneOf("format", "gptq", "gptq_v2");
        c.requireNothing("adapter");
        c.requireNothing("rotation");
        c.texts("modules_to_not_convert");
        c.ignore(HARMLESS);
        String format = c.text(c.has("checkpoint_format") ? "checkpoint_format" : "format");
        int offset = "gptq_v2".equals(format) ? 0 : 1;
        Int4Weights weights =
                new Int4Weights(Int4Weights.Layout.GPTQ, Int4Weights.groupSize(c), offset);
        c.refuseWhatNobodyUnderstood();
        return weights;
    }
}
