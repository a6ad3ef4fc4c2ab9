package io.cortado.text;

import tools.jackson.databind.node.ObjectNode;

/**
 * What llama.cpp's names of pre-tokenizers ({@code tokenizer.ggml.pre}) stand for. The patterns are
 * those that the models publish; a name that is not listed is refused.
 *
 * @param words the {@code pre_tokenizer} of a {@code tokenizer.json}
 * @param ignoreMerges whether a word of the vocabulary is one token though no merge makes it
 * @param addsBos whether a text gets a bos where the file does not say
 * @param composes whether a text is normalized to NFC
 */
record GgufPreTokenizers(
        ObjectNode words, boolean ignoreMerges, boolean addsBos, boolean composes) {
    static GgufPreTokenizers named(String name) {
        return switch (name) {
            case "llama3",
                    "llama-v3",
                    "llama-bpe",
                    "falcon3",
                    "falcon-h1",
                    "pixtral",
                    "midm-2.0",
                    "lfm2",
                    "jina-v5-nano" ->
                    plain(PublishedPatterns.LLAMA3).ignoringMerges().addingBos();
            case "glm4", "chatglm-bpe" -> plain(PublishedPatterns.LLAMA3).ignoringMerges();
            case "dbrx", "smaug-bpe" -> plain(PublishedPatterns.LLAMA3);
            case "qwen2", "deepseek-r1-qwen" -> plain(PublishedPatterns.QWEN2).composing();
            case "stablelm2", "megrez", "kormo", "f2llmv2", "hunyuan", "grok-2", "solar-open" ->
                    plain(PublishedPatterns.QWEN2);
            case "qwen35" -> plain(PublishedPatterns.QWEN35).composing();
            case "gpt-4o", "llama4" -> plain(PublishedPatterns.O200K).ignoringMerges();
            case "kanana2", "talkie", "minimax-m2" -> plain(PublishedPatterns.O200K);
            case "tekken" -> plain(PublishedPatterns.TEKKEN).ignoringMerges().addingBos();
            case "kimi-k2" -> plain(PublishedPatterns.KIMI);
            case "tiny_aya", "cohere2moe" ->
                    plain("\\d{1,3}(?=(?:\\d{3})*\\b)", PublishedPatterns.O200K);
            case "bailingmoe", "bailingmoe2", "llada-moe" -> plain(PublishedPatterns.BAILING);
            case "seed-coder" -> plain(PublishedPatterns.SEED_CODER);
            case "ufakzeka" -> plain(PublishedPatterns.UFAKZEKA);
            case "minicpm5" ->
                    plain(PublishedPatterns.DIGITS_UP_TO_3, PublishedPatterns.MINICPM5)
                            .ignoringMerges();
            case "deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4" ->
                    plain(
                            PublishedPatterns.DIGITS_UP_TO_3,
                            PublishedPatterns.DEEPSEEK_CJK,
                            PublishedPatterns.DEEPSEEK3);
            case "deepseek-llm" ->
                    plain(
                            "[\r\n]",
                            PublishedPatterns.DEEPSEEK_LLM_WORDS,
                            "\\s?[!-/:-~！-／：-～‘-‟　-。]+",
                            "\\s+$",
                            PublishedPatterns.DEEPSEEK_LLM_CJK,
                            "\\p{N}+");
            case "deepseek-coder" ->
                    plain(
                            "[\r\n]",
                            "\\s?\\p{L}+",
                            "\\s?\\p{P}+",
                            PublishedPatterns.DEEPSEEK_LLM_CJK,
                            "\\p{N}");
            case "gpt-2",
                    "phi-2",
                    "jina-es",
                    "jina-de",
                    "gigachat",
                    "jina-v2-es",
                    "jina-v2-de",
                    "a.x-4.0",
                    "mellum",
                    "modern-bert",
                    "jina-v1-en",
                    "jina-v2-code",
                    "roberta-bpe",
                    "mpt",
                    "olmo",
                    "jais",
                    "trillion",
                    "granite-docling",
                    "exaone4" ->
                    plain(PublishedPatterns.GPT2);
            case "starcoder",
                    "refact",
                    "command-r",
                    "smollm",
                    "codeshell",
                    "exaone",
                    "minerva-7b",
                    "mellum2" ->
                    plain("\\p{N}", PublishedPatterns.GPT2);
            case "falcon" ->
                    plain("[\\p{P}\\$\\+<=>\\^~\\|`]+", PublishedPatterns.GPT2, "[0-9][0-9][0-9]");
            case "default" ->
                    plain(
                            "[\\p{P}\\$\\+<=>\\^~\\|]+",
                            PublishedPatterns.GPT2,
                            "\\p{N}+",
                            "[0-9][0-9][0-9]");
            case "poro-chat", "bloom", "gpt3-finnish" -> plain(PublishedPatterns.BLOOM);
            case "viking" -> plain(PublishedPatterns.BLOOM, "\\p{N}");
            case String other -> throw Pipeline.unsupported("tokenizer.ggml.pre", other);
        };
    }

    private static GgufPreTokenizers plain(String... patterns) {
        return new GgufPreTokenizers(PipelineNodes.splits(patterns), false, false, false);
    }

    private GgufPreTokenizers ignoringMerges() {
        return new GgufPreTokenizers(words, true, addsBos, composes);
    }

    private GgufPreTokenizers addingBos() {
        return new GgufPreTokenizers(words, ignoreMerges, true, composes);
    }

    /** Normalizes to NFC: GGUF has no key for it, the models' own files do. */
    private GgufPreTokenizers composing() {
        return new GgufPreTokenizers(words, ignoreMerges, addsBos, true);
    }
}
