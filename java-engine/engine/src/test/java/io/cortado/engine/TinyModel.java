package io.cortado.engine;

import io.cortado.api.EngineOptions;
import io.cortado.api.SamplingParams;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** A model with random weights that is small enough for a device that is emulated. */
final class TinyModel {
    static final int VOCAB = 320;

    private TinyModel() {}

    /** Writes its configuration. */
    static Path in(Path folder) throws IOException {
        return in(folder, VOCAB);
    }

    /** The same with a vocabulary of another size. */
    static Path in(Path folder, int vocab) throws IOException {
        Files.writeString(
                folder.resolve("config.json"),
                "{\"model_type\":\"qwen3\",\"hidden_size\":64,\"num_hidden_layers\":2,"
                        + "\"num_attention_heads\":4,\"num_key_value_heads\":2,\"head_dim\":64,"
                        + "\"vocab_size\":"
                        + vocab
                        + ",\"intermediate_size\":128,\"max_position_embeddings\":1024}");
        return folder;
    }

    /** As large, its MLPs mixtures of six experts. */
    static Path withExperts(Path folder) throws IOException {
        Files.writeString(
                in(folder).resolve("config.json"),
                Files.readString(folder.resolve("config.json"))
                        .replace("qwen3", "qwen3_moe")
                        .replaceFirst(
                                "}$",
                                ",\"num_experts\":6,\"num_experts_per_tok\":2,"
                                        + "\"moe_intermediate_size\":64,"
                                        + "\"norm_topk_prob\":true}"));
        return folder;
    }

    static EngineOptions options(String device) {
        return EngineOptions.defaults()
                .device(device)
                .threads(2)
                .activations(EngineOptions.Activations.F32)
                .dummyWeights(true)
                .maxModelLen(128)
                .maxNumSeqs(6)
                .maxNumBatchedTokens(48);
    }

    static int[] prompt(int caller) {
        int[] prompt = Requests.prompt(3 + caller * 7 % 30);
        prompt[0] = 200 + caller;
        return prompt;
    }

    static SamplingParams params(int caller, int maxTokens) {
        return SamplingParams.builder()
                .temperature(caller % 2)
                .seed((long) caller)
                .maxTokens(maxTokens)
                .ignoreEos(true)
                .build();
    }
}
