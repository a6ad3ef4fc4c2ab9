package io.cortado.model;

import java.util.Locale;

/** The architectures that are read from GGUF, by what their files have and Hugging Face's name. */
enum GgufFamily {
    /** Llama and Mistral: q and k lie permuted for rotation of neighbouring pairs. */
    LLAMA("llama", "LlamaForCausalLM"),
    QWEN2("qwen2", "Qwen2ForCausalLM"),
    QWEN3("qwen3", "Qwen3ForCausalLM"),
    QWEN3MOE("qwen3_moe", "Qwen3MoeForCausalLM"),
    GEMMA2("gemma2", "Gemma2ForCausalLM"),
    GEMMA3("gemma3_text", "Gemma3ForCausalLM"),
    GPT_OSS("gpt_oss", "GptOssForCausalLM");

    private final String modelType;
    private final String modelClass;

    GgufFamily(String modelType, String modelClass) {
        this.modelType = modelType;
        this.modelClass = modelClass;
    }

    /**
     * {@code model_type} of the configuration that says the same; Mixtral is a Llama with experts.
     */
    String modelType(boolean hasExperts) {
        return this == LLAMA && hasExperts ? "mixtral" : modelType;
    }

    /** The one of {@code architectures}. */
    String modelClass(boolean hasExperts) {
        return this == LLAMA && hasExperts ? "MixtralForCausalLM" : modelClass;
    }

    /** Rows of q and k alternate between the halves of a head. */
    boolean alternatesHalves() {
        return this == LLAMA;
    }

    /** Its file may hold experts, all of a layer in one tensor. */
    boolean mayHaveExperts() {
        return this == LLAMA || mustHaveExperts();
    }

    boolean mustHaveExperts() {
        return this == QWEN3MOE || this == GPT_OSS;
    }

    boolean normsHeads() {
        return this == QWEN3 || this == QWEN3MOE || this == GEMMA3;
    }

    /** Norms behind attention and MLP as well as before them, stored with the 1 added. */
    boolean isGemma() {
        return this == GEMMA2 || this == GEMMA3;
    }

    static GgufFamily of(String architecture) {
        for (GgufFamily family : values()) {
            String name = family.name().toLowerCase(Locale.ROOT).replace('_', '-');
            if (name.equals(architecture)) {
                return family;
            }
        }
        throw ModelException.unsupported(
                "general.architecture must be llama, qwen2, qwen3, qwen3moe, gemma2, gemma3 or"
                        + " gpt-oss here: general.architecture="
                        + SafetensorsHeader.shortened(architecture));
    }
}
