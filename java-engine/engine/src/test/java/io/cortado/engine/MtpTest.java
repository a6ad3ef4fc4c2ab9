package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.Engine;
import io.cortado.api.EngineException;
import io.cortado.api.EngineOptions;
import io.cortado.api.EngineStats;
import io.cortado.api.GenerationRequest;
import io.cortado.api.GenerationStream;
import io.cortado.api.Prompt;
import io.cortado.api.SamplingParams;
import io.cortado.api.Speculation;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A model's own layer that predicts a further token drafts for it. */
@Timeout(value = 300, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class MtpTest {
    private static final int CALLERS = 4;

    @TempDir Path folder;

    private void writeConfig(int draftLayers) throws IOException {
        Files.writeString(
                folder.resolve("config.json"),
                """
                {"model_type": "deepseek_v3", "hidden_size": 64, "num_hidden_layers": 2,
                 "intermediate_size": 96, "num_attention_heads": 4, "vocab_size": 320,
                 "max_position_embeddings": 256, "kv_lora_rank": 32, "q_lora_rank": 32,
                 "qk_nope_head_dim": 16, "qk_rope_head_dim": 16, "v_head_dim": 16,
                 "first_k_dense_replace": 1, "n_routed_experts": 8, "num_experts_per_tok": 2,
                 "n_shared_experts": 1, "moe_intermediate_size": 32, "n_group": 4,
                 "topk_group": 2, "routed_scaling_factor": 2.5, "num_nextn_predict_layers": %d}
                """
                        .formatted(draftLayers));
    }

    private static EngineOptions options(Speculation speculation) {
        return TinyModel.options("cpu").speculation(speculation);
    }

    private static List<List<Integer>> greedy(Engine engine, int prompts, int atOnce)
            throws Exception {
        SamplingParams params =
                SamplingParams.builder().temperature(0).maxTokens(10).ignoreEos(true).build();
        Random random = new Random(5);
        List<List<Integer>> all = new ArrayList<>();
        Queue<GenerationStream> open = new ArrayDeque<>();
        for (int i = 0; i < prompts; i++) {
            int[] prompt = random.ints(30, 0, 300).toArray();
            if (open.size() == atOnce) {
                all.add(Answers.read(open.remove()).answers.getFirst().ids);
            }
            open.add(engine.generate(new GenerationRequest(Prompt.tokens(prompt), params)));
        }
        for (GenerationStream stream : open) {
            all.add(Answers.read(stream).answers.getFirst().ids);
        }
        return all;
    }

    static List<String> devices() {
        return Devices.all();
    }

    @ParameterizedTest
    @MethodSource("devices")
    void greedyAnswersAreTheSame(String device) throws Exception {
        Devices.assumePresent(device);
        writeConfig(1);
        int prompts = device.equals("cpu") ? 200 : 30; // what is emulated is slow
        EngineOptions options = TinyModel.options(device).maxNumSeqs(16);
        List<List<Integer>> plain;
        try (Engine engine = Engine.open(folder, options)) {
            plain = greedy(engine, prompts, 16);
        }
        EngineOptions drafting = options.speculation(Speculation.mtp(3).adaptive(false));
        long perBlock;
        try (Engine engine = Engine.open(folder, drafting.kvCacheBytes(1L << 22))) {
            perBlock = (1L << 22) / engine.stats().blocksTotal();
            assertEquals(plain, greedy(engine, prompts, 1), "one at a time");
            long reused = engine.stats().cache().reusedTokens();
            assertEquals(plain, greedy(engine, prompts, 16), "sixteen that the cache holds");
            assertTrue(engine.stats().cache().reusedTokens() > reused);
            assertTrue(engine.stats().drafts().tokens() > 20 * prompts, () -> "" + engine.stats());
        }
        EngineOptions tight = drafting.kvCacheBytes(7 * perBlock).maxModelLen(64);
        try (Engine engine = Engine.open(folder, tight)) {
            assertEquals(plain, greedy(engine, prompts, 16), "with few blocks");
            assertTrue(engine.stats().preemptions() > 0, () -> "" + engine.stats());
        }
    }

    private static List<List<Integer>> answers(Engine engine) throws Exception {
        List<GenerationStream> streams = new ArrayList<>();
        for (int i = 0; i < CALLERS; i++) {
            streams.add(
                    engine.generate(
                            new GenerationRequest(
                                    Prompt.tokens(TinyModel.prompt(i)),
                                    TinyModel.params(i, 12 + i))));
        }
        List<List<Integer>> all = new ArrayList<>();
        for (GenerationStream stream : streams) {
            Answers answers = Answers.read(stream);
            assertNull(answers.failure);
            all.add(answers.ids());
        }
        return all;
    }

    @Test
    void draftsOfTheModelsOwnLayerChangeNoToken() throws Exception {
        writeConfig(1);
        List<List<Integer>> plain;
        try (Engine engine = Engine.open(folder, options(Speculation.OFF))) {
            plain = answers(engine);
        }
        Speculation mtp = Speculation.mtp(3).adaptive(false);
        try (Engine engine = Engine.open(folder, options(mtp))) {
            assertEquals(plain, answers(engine));
            assertEquals(plain, answers(engine), "with cached prompts");
            assertTrue(engine.stats().drafts().tokens() > 0, () -> "" + engine.stats());
        }
        try (Engine engine = Engine.open(folder, options(mtp.tree(7, 2)))) {
            assertEquals(plain, answers(engine), "in trees");
            EngineStats.Drafts drafts = engine.stats().drafts();
            assertTrue(drafts.tokens() > 3 * drafts.verified(), () -> "no trees: " + drafts);
        }
    }

    @Test
    void aModelWithoutSuchALayerIsRefused() throws IOException {
        writeConfig(0);
        var refused =
                assertThrows(
                        EngineException.class,
                        () -> Engine.open(folder, options(Speculation.mtp(2))));
        assertTrue(String.valueOf(refused.getMessage()).contains("num_nextn_predict_layers=0"));
    }
}
