package io.cortado.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class GgufModelTest {
    @TempDir Path folder;

    private Path write(String name, GgufBytes file) throws IOException {
        return Files.write(folder.resolve(name), file.toBytes());
    }

    private void assertRefused(GgufBytes file, String why) throws IOException {
        Path path = write("model.gguf", file);
        var refused = assertThrows(ModelException.class, () -> GgufModel.open(path));
        assertTrue(String.valueOf(refused.getMessage()).contains(why), refused.toString());
    }

    @Test
    void saysInTheWordsOfConfigJsonWhatTheKeysSay() throws IOException {
        Path path = write("model.gguf", GgufBytes.model("llama"));
        ModelConfig config = ModelConfig.read(path);
        assertEquals("LlamaForCausalLM", config.architecture());
        assertEquals(64, config.maxPositions());
        assertEquals(4, config.vocabSize());
        assertTrue(config.shape().tiedEmbeddings());
        assertEquals(List.of(3, 2), config.endTokenIds(), "the key's, and the one known by name");
    }

    @Test
    void takesSamplingFromTheFile() throws IOException {
        Path path =
                write(
                        "model.gguf",
                        GgufBytes.model("llama")
                                .put("general.sampling.temp", 0.5f)
                                .put("general.sampling.top_k", 7));
        GenerationDefaults defaults = ModelConfig.read(path).generation();
        assertEquals(0.5, defaults.temperature());
        assertEquals(7, defaults.topK());
    }

    @ParameterizedTest
    @CsvSource({
        "llama.attention.value_length, 8, value_length must be 16",
        "llama.expert_count, 8, there is no llama.expert_used_count",
        "llama.attention.sliding_window, 16, sliding_window is not supported",
        "llama.new_arithmetic, 1, does not understand llama.new_arithmetic",
        "llama.vocab_size, 5, vocab_size is 5",
        "general.quantization_version, 1, quantization_version must be 2",
        "general.alignment, 24, general.alignment must be a power of two",
        "tokenizer.ggml.eot_token_id, 9, eot_token_id must be below",
    })
    void whatItDoesNotDoIsRefusedByItsKey(String key, int value, String why) throws IOException {
        assertRefused(GgufBytes.model("llama").put(key, value), why);
    }

    @Test
    void aRotationOfAPartOfTheHeadIsForTheFamilyToTake() throws IOException {
        Path path =
                write("model.gguf", GgufBytes.model("llama").put("llama.rope.dimension_count", 8));
        var refused = assertThrows(ModelException.class, () -> ModelConfig.read(path));
        assertEquals(ModelException.Kind.UNSUPPORTED, refused.kind());
        assertTrue(
                String.valueOf(refused.getMessage()).contains("partial_rotary_factor"),
                refused.toString());
    }

    @Test
    void namesWhatIsMissingMisshapenOrUnknown() throws IOException {
        assertRefused(
                GgufBytes.model("qwen3"),
                "missing tensors: blk.0.attn_q_norm.weight of shape [16];"
                        + " blk.0.attn_k_norm.weight of shape [16]");
        assertRefused(
                GgufBytes.model("llama").put("llama.attention.key_length", 32),
                "blk.0.attn_q.weight must have shape [64, 32]: [32, 32]");
        assertRefused(
                GgufBytes.model("llama").tensor("blk.0.extra.weight", GgufBytes.F32, 4),
                "does not explain: blk.0.extra.weight");
    }

    @Test
    void bringsRowsOfQAndKIntoHuggingFacesOrder() throws IOException {
        Path path = write("model.gguf", GgufBytes.model("llama"));
        try (GgufTensors tensors = new GgufTensors(path);
                GgufModel raw = GgufModel.open(path)) {
            MemorySegment stored =
                    Objects.requireNonNull(raw.tensors().get("blk.0.attn_q.weight")).data();
            MemorySegment ours =
                    tensors.matrix("model.layers.0.self_attn.q_proj.weight", 32, 32).data();
            long rowBytes = 64;
            for (int head = 0; head < 2; head++) {
                for (int i = 0; i < 16; i++) {
                    long from = (head * 16 + 2 * (i % 8) + i / 8) * rowBytes;
                    long at = (head * 16 + i) * rowBytes;
                    assertEquals(
                            -1,
                            stored.asSlice(from, rowBytes).mismatch(ours.asSlice(at, rowBytes)));
                }
            }
            assertTrue(tensors.normsHoldOffset());
            tensors.requireAllTaken(Set.of());
            var refused =
                    assertThrows(
                            ModelException.class,
                            () -> tensors.take("model.embed_tokens.weight", 4, 32));
            assertTrue(String.valueOf(refused.getMessage()).contains("Q8_0"), refused.toString());
        }
    }

    @Test
    void takesEachSixthLayerOfGemma3ForGlobalUnlessTheFileSaysOtherwise() throws IOException {
        Path path = write("model.gguf", gemma3().put("gemma3.attention.sliding_window", 16));
        try (GgufModel model = GgufModel.open(path)) {
            assertEquals("[\"sliding_attention\"]", model.config().path("layer_types").toString());
            assertEquals(10000, model.config().path("rope_local_base_freq").doubleValue());
        }
        write(
                "model.gguf",
                gemma3().put("gemma3.attention.sliding_window", 16)
                        .put("gemma3.attention.sliding_window_pattern", new boolean[] {false}));
        try (GgufModel model = GgufModel.open(path)) {
            assertEquals("[\"full_attention\"]", model.config().path("layer_types").toString());
        }
    }

    private static GgufBytes gemma3() {
        return GgufBytes.model("gemma3")
                .tensor("blk.0.attn_q_norm.weight", GgufBytes.F32, 16)
                .tensor("blk.0.attn_k_norm.weight", GgufBytes.F32, 16)
                .tensor("blk.0.post_attention_norm.weight", GgufBytes.F32, 32)
                .tensor("blk.0.post_ffw_norm.weight", GgufBytes.F32, 32);
    }

    @Test
    void readsTheNumberedPartsOfASplitFile() throws IOException {
        Path first =
                write(
                        "m-00001-of-00002.gguf",
                        GgufBytes.model("qwen2")
                                .put("split.no", 0)
                                .put("split.count", 2)
                                .put("split.tensors.count", 14));
        GgufBytes second =
                new GgufBytes()
                        .put("split.no", 1)
                        .put("split.count", 2)
                        .tensor("blk.0.attn_q.bias", GgufBytes.F32, 32)
                        .tensor("blk.0.attn_k.bias", GgufBytes.F32, 16)
                        .tensor("blk.0.attn_v.bias", GgufBytes.F32, 16);
        var missing = assertThrows(ModelException.class, () -> GgufModel.open(first));
        assertTrue(
                String.valueOf(missing.getMessage()).contains("m-00002-of-00002.gguf"),
                missing.toString());
        Path later = write("m-00002-of-00002.gguf", second);
        try (GgufTensors tensors = new GgufTensors(first)) {
            Tensor bias = tensors.take("model.layers.0.self_attn.k_proj.bias", 16);
            assertEquals(0x03020100, bias.data().get(ValueLayout.JAVA_INT_UNALIGNED, 0));
        }
        var alone = assertThrows(ModelException.class, () -> GgufModel.open(later));
        assertTrue(String.valueOf(alone.getMessage()).contains("later part"), alone.toString());
    }
}
