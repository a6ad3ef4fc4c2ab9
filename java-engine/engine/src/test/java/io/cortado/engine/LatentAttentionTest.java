package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.Engine;
import io.cortado.api.EngineOptions;
import io.cortado.api.EngineOptions.Activations;
import io.cortado.api.GenerationRequest;
import io.cortado.api.GenerationStream;
import io.cortado.api.KvCacheDtype;
import io.cortado.api.Prompt;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.IntFunction;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Pages of latents, which are keys and values in one, live through all that other pages do. */
@ParameterizedClass
@MethodSource("devices")
@Timeout(value = 600, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class LatentAttentionTest {
    private static final int CALLERS = 6;
    private static final int LAYERS = 2;
    private static final int KEY = 32 + 16;

    private static final String COMMON =
            """
            {"model_type": "%s", "hidden_size": 64, "num_hidden_layers": 2, "intermediate_size": 96,
             "num_attention_heads": 4, "vocab_size": 320, "max_position_embeddings": 256,
             "kv_lora_rank": 32, "qk_nope_head_dim": 16, "qk_rope_head_dim": 16, "v_head_dim": 32,
             "first_k_dense_replace": 1, "n_routed_experts": 8, "num_experts_per_tok": 2,
             "n_shared_experts": 1, "moe_intermediate_size": 32, %s}
            """;

    private static final String V2 =
            COMMON.formatted("deepseek_v2", "\"q_lora_rank\": null, \"norm_topk_prob\": false");

    private static final String V3 =
            COMMON.formatted(
                    "deepseek_v3",
                    "\"q_lora_rank\": 32, \"n_group\": 4, \"topk_group\": 2,"
                            + " \"routed_scaling_factor\": 2.5");

    @Parameter(0)
    private String device = "";

    @Parameter(1)
    private String config = "";

    @Parameter(2)
    private Activations activations = Activations.F32;

    @Parameter(3)
    private KvCacheDtype kvCache = KvCacheDtype.AUTO;

    @TempDir Path folder;

    static Stream<Arguments> devices() {
        return Devices.all().stream()
                .flatMap(device ->
                        Stream.of(
                                Arguments.of(device, V3, Activations.F32, KvCacheDtype.AUTO),
                                Arguments.of(device, V2, Activations.BF16, KvCacheDtype.AUTO),
                                Arguments.of(device, V3, Activations.BF16, KvCacheDtype.FP8_E4M3)));
    }

    @BeforeEach
    void writeConfig() throws IOException {
        Devices.assumePresent(device);
        Files.writeString(folder.resolve("config.json"), config);
    }

    private EngineOptions options() {
        return TinyModel.options(device)
                .activations(activations)
                .kvCacheDtype(kvCache)
                .maxModelLen(96)
                .prefixCaching(false);
    }

    private long blockBytes() {
        boolean isShort = kvCache == KvCacheDtype.FP8_E4M3;
        int elementBytes = isShort ? 1 : activations == Activations.F32 ? 4 : 2;
        return (long) LAYERS * KEY * 16 * elementBytes;
    }

    /** Prompts that begin alike, up to different places. */
    private static GenerationRequest alike(int i) {
        int[] prompt = Requests.prompt(34 + 3 * i);
        prompt[prompt.length - 1] = 200 + i;
        return request(i, prompt, 4 + 2 * i);
    }

    /** Prompts that share nothing and grow by blocks. */
    private static GenerationRequest unlike(int i) {
        int[] prompt = Requests.prompt(17 + 3 * i);
        prompt[0] = 200 + i;
        return request(i, prompt, 18 + 2 * i);
    }

    private static GenerationRequest request(int i, int[] prompt, int maxTokens) {
        var params = TinyModel.params(i, maxTokens).toBuilder().logprobs(0).build();
        return new GenerationRequest(Prompt.tokens(prompt), params);
    }

    /** Ids and the log-probability's bits of each token. */
    private static List<Integer> bits(Answers answers) {
        assertNull(answers.failure);
        List<Integer> bits = new ArrayList<>();
        for (var token : answers.answers.getFirst().logprobs) {
            bits.add(token.id());
            bits.add(Float.floatToRawIntBits(token.logprob()));
        }
        return bits;
    }

    private static List<List<Integer>> alone(Engine engine, IntFunction<GenerationRequest> caller)
            throws Exception {
        List<List<Integer>> all = new ArrayList<>();
        for (int i = 0; i < CALLERS; i++) {
            all.add(bits(Answers.read(engine.generate(caller.apply(i)))));
        }
        return all;
    }

    private static List<List<Integer>> together(
            Engine engine, IntFunction<GenerationRequest> caller) throws Exception {
        List<GenerationStream> streams = new ArrayList<>();
        for (int i = 0; i < CALLERS; i++) {
            streams.add(engine.generate(caller.apply(i)));
        }
        List<List<Integer>> all = new ArrayList<>();
        for (GenerationStream stream : streams) {
            all.add(bits(Answers.read(stream)));
        }
        return all;
    }

    private List<List<Integer>> alone(IntFunction<GenerationRequest> caller) throws Exception {
        try (Engine engine = Engine.open(folder, options())) {
            return alone(engine, caller);
        }
    }

    @Test
    void aRequestHasItsBitsAloneInABatchAndInChunks() throws Exception {
        List<List<Integer>> alone = alone(LatentAttentionTest::alike);
        try (Engine engine = Engine.open(folder, options())) {
            assertEquals(alone, together(engine, LatentAttentionTest::alike), "batch");
        }
        try (Engine engine = Engine.open(folder, options().maxNumBatchedTokens(16))) {
            assertEquals(alone, together(engine, LatentAttentionTest::alike), "chunks");
        }
    }

    @Test
    void aPrefixFromTheCacheHasTheBitsOfAComputedOne() throws Exception {
        List<List<Integer>> computed = alone(LatentAttentionTest::alike);
        try (Engine engine = Engine.open(folder, options().prefixCaching(true))) {
            assertEquals(computed, alone(engine, LatentAttentionTest::alike), "beginnings");
            assertEquals(computed, together(engine, LatentAttentionTest::alike), "whole prompts");
            assertTrue(engine.stats().cache().reusedTokens() > 0, () -> "" + engine.stats());
        }
    }

    @Test
    void preemptionAndSwappingChangeNoBit() throws Exception {
        List<List<Integer>> alone = alone(LatentAttentionTest::unlike);
        EngineOptions tight = options().kvCacheBytes(6 * blockBytes());
        try (Engine engine = Engine.open(folder, tight)) {
            assertEquals(alone, together(engine, LatentAttentionTest::unlike), "computed again");
            assertTrue(engine.stats().preemptions() > 0, () -> "" + engine.stats());
            assertEquals(0, DemoEngine.blocksUsedInTheEnd(engine));
        }
        EngineOptions tiered = tight.prefixCaching(true).kvOffloadBytes(60 * blockBytes());
        try (Engine engine = CortadoEngineProvider.open(folder, tiered, _ -> {}, e -> e)) {
            for (int round = 0; round < 2; round++) {
                assertEquals(alone, together(engine, LatentAttentionTest::unlike), "swapped");
            }
            assertTrue(engine.stats().preemptions() > 0, () -> "" + engine.stats());
            assertTrue(engine.stats().cache().tokensFromHost() > 0, () -> "" + engine.stats());
            assertEquals(0, DemoEngine.blocksUsedInTheEnd(engine));
        }
    }
}
