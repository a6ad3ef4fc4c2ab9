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
import io.cortado.api.SamplingParams;
import io.cortado.api.TokenLogprob;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
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

/**
 * The contract of the deterministic mode, on every device and with both kinds of kernels: the bits
 * of a request's rows depend on the request alone.
 */
@ParameterizedClass
@MethodSource("devices")
@Timeout(value = 600, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class DeterminismTest {
    private static final int CALLERS = 9;

    /** Longer than the 256 keys that attention takes as one piece of its work. */
    private static final int[] LONG_PROMPTS = {255, 300, 530};

    @Parameter(0)
    private String device = "";

    @Parameter(1)
    private Activations activations = Activations.F32;

    @Parameter(2)
    private KvCacheDtype kvCache = KvCacheDtype.AUTO;

    @TempDir Path folder;

    static Stream<Arguments> devices() {
        return Devices.all().stream()
                .flatMap(d ->
                        Stream.of(
                                Arguments.of(d, Activations.F32, KvCacheDtype.AUTO),
                                Arguments.of(d, Activations.BF16, KvCacheDtype.AUTO),
                                Arguments.of(d, Activations.BF16, KvCacheDtype.FP8_E4M3)));
    }

    @BeforeEach
    void requireDevice() {
        Devices.assumePresent(device);
    }

    private EngineOptions options() {
        return TinyModel.options(device).activations(activations).kvCacheDtype(kvCache);
    }

    private long blockBytes() {
        int elementBytes =
                kvCache == KvCacheDtype.FP8_E4M3 ? 1 : activations == Activations.F32 ? 4 : 2;
        return 2L * 2 * 2 * 64 * 16 * elementBytes;
    }

    /** Ids and the log-probability's bits of each token. */
    private record Token(int id, int logprobBits) {
        float logprob() {
            return Float.intBitsToFloat(logprobBits);
        }

        static List<Token> of(Answers answers) {
            assertNull(answers.failure);
            List<Token> tokens = new ArrayList<>();
            for (TokenLogprob token : answers.answers.getFirst().logprobs) {
                tokens.add(new Token(token.id(), Float.floatToRawIntBits(token.logprob())));
            }
            assertEquals(answers.ids().size(), tokens.size());
            return tokens;
        }
    }

    /** Short ones of different lengths in and out, so that a batch shrinks through all sizes. */
    private static GenerationRequest caller(int i) {
        return new GenerationRequest(Prompt.tokens(TinyModel.prompt(i)), params(i, 14 + 2 * i));
    }

    private static SamplingParams params(int caller, int maxTokens) {
        return TinyModel.params(caller, maxTokens).toBuilder().logprobs(0).build();
    }

    /**
     * So many tokens that a cut of the keys by the batch, as the fast mode makes it, shows in
     * bf16's bits. The kernels for float32 make none.
     */
    private GenerationRequest longCaller(int i) {
        int[] prompt = Requests.prompt(LONG_PROMPTS[i]);
        prompt[0] = 100 + i;
        return new GenerationRequest(
                Prompt.tokens(prompt), params(i, activations == Activations.BF16 ? 32 : 8));
    }

    private static List<List<Token>> alone(
            Engine engine, int count, IntFunction<GenerationRequest> caller) throws Exception {
        List<List<Token>> tokens = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            tokens.add(Token.of(Answers.read(engine.generate(caller.apply(i)))));
        }
        return tokens;
    }

    private static List<List<Token>> together(
            Engine engine, int count, IntFunction<GenerationRequest> caller) throws Exception {
        List<GenerationStream> streams = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            streams.add(engine.generate(caller.apply(i)));
        }
        List<List<Token>> tokens = new ArrayList<>();
        for (GenerationStream stream : streams) {
            tokens.add(Token.of(Answers.read(stream)));
        }
        return tokens;
    }

    @Test
    void aRequestsBitsAreItsOwn() throws Exception {
        List<List<Token>> alone;
        try (Engine engine = Engine.open(TinyModel.in(folder), options())) {
            alone = alone(engine, CALLERS, DeterminismTest::caller);
            assertEquals(alone, together(engine, CALLERS, DeterminismTest::caller), "neighbours");
        }
        Map<String, EngineOptions> others =
                Map.of(
                        "chunks of 16", options().maxNumBatchedTokens(16),
                        "wide block tables", options().maxModelLen(512).maxNumSeqs(9),
                        "one thread", options().threads(1));
        for (var other : others.entrySet()) {
            try (Engine engine = Engine.open(folder, other.getValue())) {
                assertEquals(
                        alone, together(engine, CALLERS, DeterminismTest::caller), other.getKey());
            }
        }
        EngineOptions tight = options().maxModelLen(64).kvCacheBytes(6 * blockBytes());
        try (Engine engine = Engine.open(folder, tight)) {
            assertEquals(alone, together(engine, CALLERS, DeterminismTest::caller), "preempted");
            assertTrue(engine.stats().preemptions() > 0, () -> "" + engine.stats());
            assertEquals(0, DemoEngine.blocksUsedInTheEnd(engine));
        }
    }

    /** Callers whose prompts begin alike, up to different places. */
    private static GenerationRequest alike(int i) {
        int[] prompt = Requests.prompt(40 + 3 * i);
        prompt[prompt.length - 1] = 200 + i;
        return new GenerationRequest(Prompt.tokens(prompt), params(i, 12));
    }

    @Test
    void aRequestsBitsDoNotDependOnWhatTheCacheHolds() throws Exception {
        List<List<Token>> computed;
        EngineOptions plain = options().prefixCaching(false);
        try (Engine engine = Engine.open(TinyModel.in(folder), plain)) {
            computed = alone(engine, CALLERS, DeterminismTest::alike);
            assertEquals(0, engine.stats().cache().reusedTokens());
        }
        try (Engine engine = Engine.open(folder, options())) {
            assertEquals(computed, alone(engine, CALLERS, DeterminismTest::alike), "shared");
            assertEquals(computed, together(engine, CALLERS, DeterminismTest::alike), "whole");
            assertTrue(engine.stats().cache().reusedTokens() > 0, () -> "" + engine.stats());
        }
        EngineOptions tight = options().maxModelLen(96).kvCacheBytes(9 * blockBytes());
        EngineOptions tiered = tight.kvOffloadBytes(40 * blockBytes());
        try (Engine engine = CortadoEngineProvider.open(folder, tiered, _ -> {}, e -> e)) {
            for (int round = 0; round < 2; round++) {
                assertEquals(computed, together(engine, CALLERS, DeterminismTest::alike), "tiers");
                together(engine, CALLERS, DeterminismTest::caller); // takes all their blocks
            }
            assertTrue(engine.stats().preemptions() > 0, () -> "" + engine.stats());
            assertTrue(engine.stats().cache().tokensFromHost() > 0, () -> "" + engine.stats());
            assertEquals(0, DemoEngine.blocksUsedInTheEnd(engine));
        }
        // So little host memory that most of what is asked for again comes from the disk.
        EngineOptions onDisk =
                tight.kvOffloadBytes(8 * blockBytes())
                        .kvOffloadDisk(80 * blockBytes(), folder.toString());
        try (Engine engine = CortadoEngineProvider.open(folder, onDisk, _ -> {}, e -> e)) {
            for (int round = 0; round < 3; round++) {
                assertEquals(computed, together(engine, CALLERS, DeterminismTest::alike), "disk");
                assertEquals(computed, alone(engine, CALLERS, DeterminismTest::alike), "disk");
                together(engine, CALLERS, DeterminismTest::caller);
            }
            assertTrue(engine.stats().cache().blocksFromDisk() > 0, () -> "" + engine.stats());
            assertEquals(0, DemoEngine.blocksUsedInTheEnd(engine));
        }
    }

    /** The answers of one request share its prompt; each is what it would be with its own. */
    @Test
    void answersThatShareAPromptAreTheirOwn() throws Exception {
        GenerationRequest three =
                new GenerationRequest(
                        Prompt.tokens(Requests.prompt(45)),
                        params(1, 10).toBuilder().n(3).temperature(1).build());
        List<List<Integer>> apart;
        try (Engine engine =
                Engine.open(TinyModel.in(folder), options().prefixCaching(false).maxNumSeqs(1))) {
            apart = answers(engine, three);
        }
        try (Engine engine = Engine.open(folder, options())) {
            assertEquals(apart, answers(engine, three));
            assertTrue(engine.stats().cache().reusedTokens() >= 2 * 32, "" + engine.stats());
        }
    }

    private static List<List<Integer>> answers(Engine engine, GenerationRequest request)
            throws Exception {
        Answers answers = Answers.read(engine.generate(request));
        assertNull(answers.failure);
        return answers.answers.stream().map(answer -> answer.ids).toList();
    }

    /** Decodes are replayed from graphs, unless someone's bias is in the batch. */
    @Test
    void aReplayedStepHasTheBitsOfAnEnqueuedOne() throws Exception {
        try (Engine engine = Engine.open(TinyModel.in(folder), options())) {
            List<List<Token>> replayed = together(engine, CALLERS, DeterminismTest::caller);
            List<List<Token>> enqueued = together(engine, CALLERS, i -> withBiasOfZero(caller(i)));
            assertEquals(replayed, enqueued);
        }
    }

    private static GenerationRequest withBiasOfZero(GenerationRequest request) {
        return new GenerationRequest(
                request.prompt(), request.params().toBuilder().logitBias(Map.of(7, 0f)).build());
    }

    @Test
    void aLongRequestsBitsDependNeitherOnChunksNorOnHowItsKeysAreShared() throws Exception {
        EngineOptions whole = options().maxModelLen(640).maxNumBatchedTokens(640);
        int count = LONG_PROMPTS.length;
        List<List<Token>> alone;
        try (Engine engine = Engine.open(TinyModel.in(folder), whole)) {
            alone = alone(engine, count, this::longCaller);
        }
        EngineOptions inChunks = whole.maxNumBatchedTokens(112);
        try (Engine engine = Engine.open(folder, inChunks)) {
            assertEquals(alone, together(engine, count, this::longCaller));
        }
        try (Engine engine = Engine.open(folder, inChunks.deterministic(false))) {
            List<List<Token>> fast = together(engine, count, this::longCaller);
            for (int i = 0; i < count; i++) {
                // A later token may have drawn another one before it.
                float logprob = fast.get(i).getFirst().logprob();
                assertEquals(alone.get(i).getFirst().logprob(), logprob, 0.02, "caller " + i);
            }
        }
    }

    /** A trained model, whose answers mean something to lose. */
    @Test
    void theDemoModelsAnswersAreTheirOwn() throws Exception {
        answersAreTheirOwn(DemoEngine.folder());
    }

    /** Each token's experts compute it among the tokens of others. */
    @Test
    void theAnswersOfAModelWithExpertsAreTheirOwn() throws Exception {
        answersAreTheirOwn(DemoEngine.moeFolder());
    }

    private void answersAreTheirOwn(Path model) throws Exception {
        List<DemoEngine.Golden> goldens = DemoEngine.goldens(model).subList(0, 4);
        IntFunction<GenerationRequest> caller =
                i -> new GenerationRequest(Prompt.tokens(goldens.get(i).prompt()), params(0, 5));
        EngineOptions options =
                EngineOptions.defaults()
                        .device(device)
                        .activations(activations)
                        .kvCacheDtype(kvCache)
                        .threads(2)
                        .maxModelLen(128);
        List<List<Token>> alone;
        try (Engine engine = Engine.open(model, options)) {
            alone = alone(engine, goldens.size(), caller);
        }
        try (Engine engine = Engine.open(model, options.maxNumBatchedTokens(24).maxNumSeqs(3))) {
            assertEquals(alone, together(engine, goldens.size(), caller));
        }
    }
}
