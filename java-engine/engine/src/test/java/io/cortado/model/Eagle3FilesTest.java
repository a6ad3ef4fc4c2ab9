package io.cortado.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.demo.DemoModel;
import io.cortado.device.Device;
import io.cortado.model.DraftHead.Features;
import io.cortado.model.Eagle3Bed.Rows;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The forms in which an EAGLE-3 head is published, and what is refused. */
class Eagle3FilesTest {
    /** One tensor of the demo's head, to be written again. */
    private record Stored(TensorType type, byte[] bytes, long[] shape) {}

    @TempDir Path folder;
    private ModelConfig target;
    private String json;

    @BeforeEach
    void unpack() throws IOException {
        target = ModelConfig.read(DemoModel.unpack(Eagle3Bed.folder().resolve("demo")));
        DemoModel.unpackEagle3(folder);
        json = Files.readString(folder.resolve("config.json"));
    }

    private Eagle3Config config(String changed) throws IOException {
        Files.writeString(folder.resolve("config.json"), changed);
        return Eagle3Config.read(folder, target);
    }

    private String without(String key) {
        return json.replaceFirst("\"" + key + "\": \\[[^\\]]*\\],?", "");
    }

    @Test
    void layerIdsAreInputsAtTheTopAndOutputsInside() throws IOException {
        String ids = "eagle_aux_hidden_state_layer_ids";
        assertEquals(List.of(1, 3, 5), config(json).layerIds());
        assertEquals(List.of(1, 3, 5), config(without(ids)).layerIds());
        String inside =
                json.replace("0,\n      2,", "0,\n      1,").replace("1,\n    3,", "2,\n    3,");
        assertEquals(List.of(2, 3, 5), config(inside).layerIds());
        String none =
                without(ids)
                        .replaceFirst("\"eagle_config\": \\{[^}]*\\}", "\"eagle_config\": null");
        var e = assertThrows(ModelException.class, () -> config(none));
        assertTrue(String.valueOf(e.getMessage()).contains("6 layers"), e::toString);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "\"num_hidden_layers\": 1 | \"num_hidden_layers\": 2 | num_hidden_layers must be 1",
                "\"vocab_size\": 3320 | \"vocab_size\": 3321 | vocab_size must be the target's 3320",
                "\"draft_vocab_size\": 1024 | \"draft_vocab_size\": 4000 | draft_vocab_size must be",
                "\"model_type\": \"llama\" | \"model_type\": \"qwen3\" | model_type must be one of",
                "LlamaForCausalLMEagle3 | LlamaForCausalLMEagle | architectures must be one of",
                "\"use_cache\": true | \"norm_before_residual\": true | norm_before_residual must be",
                "\"use_cache\": true | \"target_hidden_size\": 512 | must be the target's 256",
                "\"use_cache\": true | \"fc_norm\": true | does not understand fc_norm",
                "\"use_cache\": true | \"quantization_config\": {\"bits\": 4} | quantization_config",
                "\"use_aux_hidden_state\": true | \"use_aux_hidden_state\": false | must be true",
                "\"tie_word_embeddings\": false | \"tie_word_embeddings\": true | must be false",
            })
    void otherFormsAreRefusedByName(String from, String to, String why) throws IOException {
        assertTrue(json.contains(from), json);
        var e = assertThrows(ModelException.class, () -> config(json.replace(from, to)));
        assertTrue(String.valueOf(e.getMessage()).contains(why), e::toString);
    }

    @Test
    void aHeadIsToldFromAModel() throws IOException {
        assertTrue(Eagle3Config.isHead(folder));
        assertFalse(Eagle3Config.isHead(Eagle3Bed.folder().resolve("demo")));
        assertFalse(Eagle3Config.isHead(folder.resolve("nowhere")));
    }

    private static Map<String, Stored> tensors(Path file) {
        Map<String, Stored> all = new LinkedHashMap<>();
        try (SafetensorsFile opened = SafetensorsFile.open(file)) {
            opened.tensors()
                    .forEach((name, tensor) ->
                            all.put(
                                    name,
                                    new Stored(
                                            tensor.type(),
                                            tensor.data().toArray(ValueLayout.JAVA_BYTE),
                                            tensor.shape().stream()
                                                    .mapToLong(Long::longValue)
                                                    .toArray())));
        }
        return all;
    }

    private static Stored named(Map<String, Stored> tensors, String name) {
        return Objects.requireNonNull(tensors.get(name));
    }

    private void rewrite(Consumer<Map<String, Stored>> change) throws IOException {
        Map<String, Stored> all = tensors(folder.resolve("model.safetensors"));
        change.accept(all);
        SafetensorsBytes bytes = new SafetensorsBytes();
        all.forEach((name, stored) -> bytes.add(name, stored.type, stored.bytes, stored.shape));
        Files.write(folder.resolve("model.safetensors"), bytes.toBytes());
    }

    private static float[] logits(Path folder) throws IOException {
        int[] ids = Eagle3Bed.ints(Eagle3Bed.prompts().getFirst().path("ids"));
        try (Eagle3Bed bed = new Eagle3Bed("cpu", Activations.F32, folder)) {
            bed.step(new Rows(0, 0, ids, 0));
            bed.pass(Features.TARGET, new Rows(0, 0, Eagle3Bed.shifted(ids, 516), 0));
            return bed.draftLogits(0);
        }
    }

    @Test
    void newerNamesAndAnOwnEmbeddingGiveTheSameBits() throws IOException {
        float[] expected = logits(folder);
        rewrite(all -> {
            for (String name : List.copyOf(all.keySet())) {
                if (name.startsWith("midlayer.")) {
                    all.put(name.replace("midlayer.", "layers.0."), all.remove(name));
                }
            }
            all.put("embed_tokens.weight", embedding());
        });
        assertArrayEquals(expected, logits(folder));
        rewrite(all -> {
            for (String name : List.copyOf(all.keySet())) {
                all.put("model." + name, all.remove(name));
            }
        });
        assertArrayEquals(expected, logits(folder));
    }

    private static Stored embedding() {
        Path demo = Eagle3Bed.folder().resolve("demo/model.safetensors");
        return named(tensors(demo), "model.embed_tokens.weight");
    }

    @Test
    void aHeadForTheWholeVocabularyNeedsNoMapAndMayUseTheTargetsHead() throws IOException {
        config(json.replace("\"draft_vocab_size\": 1024", "\"draft_vocab_size\": 3320"));
        rewrite(all -> List.of("lm_head.weight", "d2t", "t2d").forEach(all::remove));
        int[] ids = Eagle3Bed.ints(Eagle3Bed.prompts().getFirst().path("ids"));
        try (Eagle3Bed bed = new Eagle3Bed("cpu", Activations.F32, folder)) {
            bed.step(new Rows(0, 0, ids, 0));
            var drafts = bed.chain(1, new Rows(0, 0, Eagle3Bed.shifted(ids, 516), 0));
            int best = Eagle3Bed.argmax(bed.draftLogits(0));
            assertEquals(3320, bed.head.draftVocabSize());
            assertEquals(List.of(best), drafts.getFirst());
            assertEquals(best, bed.head.targetId(best));
        }
    }

    private void assertRefused(String why) {
        var e = assertThrows(ModelException.class, () -> logits(folder));
        assertTrue(String.valueOf(e.getMessage()).contains(why), e::toString);
    }

    @ParameterizedTest
    @CsvSource({
        "fc.weight,'fc.weight of shape [256, 768] is missing'",
        "midlayer.hidden_norm.weight,midlayer.hidden_norm.weight",
        "midlayer.self_attn.q_proj.weight,midlayer.self_attn.q_proj.weight",
        "norm.weight,norm.weight",
        "lm_head.weight,'lm_head.weight of shape [1024, 256] is missing'",
        "d2t,d2t of shape [1024] is missing"
    })
    void aTensorThatIsMissingIsNamed(String name, String why) throws IOException {
        rewrite(all -> all.remove(name));
        assertRefused(why);
    }

    @Test
    void aTensorThatNobodyReadsIsNamed() throws IOException {
        rewrite(all ->
                all.put("fc.bias", new Stored(TensorType.BF16, new byte[512], new long[] {256})));
        assertRefused("fc.bias");
    }

    private static byte[] longs(byte[] from, int index, long value) {
        ByteBuffer.wrap(from).order(ByteOrder.LITTLE_ENDIAN).putLong(8 * index, value);
        return from;
    }

    @ParameterizedTest
    @ValueSource(longs = {5000, -1000})
    void aMapOutOfTheVocabularyIsRefused(long offset) throws IOException {
        rewrite(all -> longs(named(all, "d2t").bytes, 0, offset));
        assertRefused("d2t must give different ids below 3320: entry 0 gives " + offset);
    }

    @Test
    void aMapToOneIdTwiceIsRefused() throws IOException {
        rewrite(all -> {
            byte[] map = named(all, "d2t").bytes;
            ByteBuffer offsets = ByteBuffer.wrap(map).order(ByteOrder.LITTLE_ENDIAN);
            longs(map, 1, offsets.getLong(0) - 1);
        });
        assertRefused("d2t must give different ids below 3320: entry 1");
    }

    @Test
    void aMaskThatDisagreesWithTheMapIsRefused() throws IOException {
        rewrite(all -> named(all, "t2d").bytes[3319] ^= 1);
        assertRefused("t2d and d2t disagree about id 3319");
    }

    @ParameterizedTest
    @EnumSource(Activations.class)
    void bytesAreKnownBeforeAnythingIsMade(Activations activations) throws IOException {
        try (Eagle3Bed bed = new Eagle3Bed("cpu", activations, folder);
                Device device = Device.open("cpu", 2, "auto")) {
            assertEquals(
                    Eagle3Head.weightBytes(device, folder, bed.config, activations),
                    bed.head.weightBytes());
            assertEquals(
                    Eagle3Head.workspaceBytes(
                            device,
                            bed.config,
                            activations,
                            KvType.AUTO,
                            Eagle3Bed.MAX_SEQS,
                            Eagle3Bed.MAX_TOKENS,
                            Eagle3Bed.BLOCKS_PER_SEQ,
                            Eagle3Bed.MAX_LOGIT_ROWS,
                            true),
                    bed.head.workspaceBytes());
            assertEquals(
                    bed.config.kvBytesPerBlock(activations, KvType.AUTO),
                    bed.head.kvBytesPerBlock());
            assertThrows(IllegalStateException.class, () -> bed.head.allocate(1));
        }
    }

    @Test
    void theTargetMustKeepTheStatesFirst() throws IOException {
        Path demo = Eagle3Bed.folder().resolve("demo");
        Eagle3Config config = Eagle3Config.read(folder, target);
        try (Device device = Device.open("cpu", 1, "auto");
                CausalLm lm =
                        CausalLm.load(device, demo, target, Activations.F32, KvType.AUTO, false);
                Eagle3Head head = Eagle3Head.load(device, folder, config, lm)) {
            assertThrows(IllegalStateException.class, head::createInputs);
            lm.keepStates(List.of(1, 2, 3));
            lm.allocate(2, 1, 8, 2, 8, true);
            var e = assertThrows(IllegalStateException.class, () -> head.allocate(1));
            assertTrue(String.valueOf(e.getMessage()).contains("[1, 3, 5]"), e::toString);
        }
    }
}
