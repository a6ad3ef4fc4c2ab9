package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.Engine;
import io.cortado.api.EngineOptions;
import io.cortado.api.EngineOptions.Activations;
import io.cortado.api.EngineStats;
import io.cortado.api.GenerationRequest;
import io.cortado.api.GenerationStream;
import io.cortado.api.Prompt;
import io.cortado.api.SamplingParams;
import io.cortado.api.TokenLogprob;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
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
 * The determinism contract as it is stated: 64 requests that sample in all ways have the bits that
 * they have alone, whatever the engine makes of them.
 */
@ParameterizedClass
@MethodSource("devices")
@Timeout(value = 600, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class DeterminismContractTest {
    private static final int REQUESTS = 64;
    private static final int WAYS = 8;

    /** Blocks of the largest request, with all its answers' own. */
    private static final int TIGHT_BLOCKS = 7;

    /** Blocks of all requests. */
    private static final int PLENTY = 400;

    @Parameter(0)
    private String device = "";

    @Parameter(1)
    private Activations activations = Activations.F32;

    @Parameter(2)
    private boolean hasExperts;

    @TempDir Path folder;

    /** The emulated device has the kernels of tensor cores for bf16: those that can differ. */
    static Stream<Arguments> devices() {
        return Stream.of(
                Arguments.of("cpu", Activations.F32, false),
                Arguments.of("cpu", Activations.BF16, false),
                Arguments.of("cpu", Activations.BF16, true),
                Arguments.of(Devices.all().getLast(), Activations.BF16, false));
    }

    @BeforeEach
    void requireDevice() {
        Devices.assumePresent(device);
    }

    /** What is made of the requests, and the sign that it has happened. */
    private enum Way {
        IN_A_BATCH(options -> options, stats -> stats.meanBatch() > 2),
        CHUNKS_OF_16(options -> options.maxNumBatchedTokens(16), stats -> true),
        CHUNKS_OF_40(options -> options.maxNumBatchedTokens(40), stats -> true),
        CHUNKS_BY_THE_CLOCK(options -> options.itlTargetMs(1), stats -> true),
        CACHE_HITS(
                options -> options.prefixCaching(true),
                stats -> stats.cache().reusedTokens() > 400,
                PLENTY,
                0),
        RECOMPUTED_AFTER_PREEMPTION(
                options -> options, stats -> stats.preemptions() > 0, TIGHT_BLOCKS, 0),
        SWAPPED_OUT_AND_IN_BY_PREEMPTION(
                options -> options.prefixCaching(true),
                stats -> stats.preemptions() > 0 && stats.cache().tokensFromHost() > 0,
                TIGHT_BLOCKS,
                PLENTY),
        OFFLOADED_AND_BACK(
                options -> options.prefixCaching(true).maxNumSeqs(3),
                stats -> stats.cache().offloads() > 0 && stats.cache().tokensFromHost() > 400,
                4 * TIGHT_BLOCKS,
                PLENTY),
        ONE_THREAD(options -> options.threads(1), stats -> true),
        TWO_THREADS(options -> options.threads(2).maxNumSeqs(9), stats -> true);

        private final Option change;
        private final Predicate<EngineStats> happened;
        private final int blocks;
        private final int hostBlocks;

        private interface Option {
            EngineOptions of(EngineOptions options);
        }

        Way(Option change, Predicate<EngineStats> happened) {
            this(change, happened, 0, 0);
        }

        Way(Option change, Predicate<EngineStats> happened, int blocks, int hostBlocks) {
            this.change = change;
            this.happened = happened;
            this.blocks = blocks;
            this.hostBlocks = hostBlocks;
        }

        /** All requests again, in an engine that has their blocks. */
        boolean isTwice() {
            return this == CACHE_HITS || this == OFFLOADED_AND_BACK;
        }
    }

    private EngineOptions options() {
        return TinyModel.options(device)
                .activations(activations)
                .maxModelLen(96)
                .prefixCaching(false);
    }

    private long blockBytes() {
        return 2L * 2 * 2 * 64 * 16 * (activations == Activations.F32 ? 4 : 2);
    }

    /** The emulated device takes a thousand times as long. */
    private boolean isSlow() {
        return !device.equals("cpu");
    }

    private GenerationRequest request(int i) {
        int[] prompt = Requests.prompt(5 + i * 7 % (isSlow() ? 40 : 60));
        prompt[0] = 200 + i; // shares nothing with the others
        SamplingParams.Builder params =
                SamplingParams.builder()
                        .temperature(0.9f)
                        .seed(1000L + i)
                        .maxTokens(isSlow() ? 8 : 8 + i % 13)
                        .ignoreEos(true)
                        .logprobs(0);
        switch (i % WAYS) {
            case 0 -> params.temperature(0);
            case 1 -> params.temperature(1.3f);
            case 2 -> params.topK(1 + i % 30);
            case 3 -> params.topP(0.3f + i % 5 * 0.1f);
            case 4 -> params.minP(0.05f);
            case 5 -> params.topK(40).topP(0.9f).minP(0.01f).temperature(0.6f);
            case 6 -> params.n(3);
            default -> params.logprobs(5).logitBias(Map.of(7, -100f, 11 + i, 1.5f, 300, 2f));
        }
        return new GenerationRequest(Prompt.tokens(prompt), params.build());
    }

    /** Every answer's ids, and the bits of their and the likeliest ones' log-probabilities. */
    private static List<List<Integer>> bits(Answers answers) {
        assertNull(answers.failure);
        List<List<Integer>> bits = new ArrayList<>();
        for (Answers.Answer answer : answers.answers) {
            List<Integer> of = new ArrayList<>();
            for (TokenLogprob token : answer.logprobs) {
                add(of, token);
                token.top().forEach(top -> add(of, top));
            }
            assertEquals(answer.ids.size(), answer.logprobs.size());
            bits.add(of);
        }
        return bits;
    }

    private static void add(List<Integer> bits, TokenLogprob token) {
        bits.add(token.id());
        bits.add(Float.floatToRawIntBits(token.logprob()));
    }

    private List<List<List<Integer>>> together(Engine engine) throws Exception {
        List<GenerationStream> streams = new ArrayList<>();
        for (int i = 0; i < REQUESTS; i++) {
            streams.add(engine.generate(request(i)));
        }
        List<List<List<Integer>>> all = new ArrayList<>();
        for (GenerationStream stream : streams) {
            all.add(bits(Answers.read(stream)));
        }
        return all;
    }

    private List<List<List<Integer>>> alone() throws Exception {
        Path model = hasExperts ? TinyModel.withExperts(folder) : TinyModel.in(folder);
        try (Engine engine = Engine.open(model, options())) {
            List<List<List<Integer>>> all = new ArrayList<>();
            for (int i = 0; i < REQUESTS; i++) {
                all.add(bits(Answers.read(engine.generate(request(i)))));
            }
            return all;
        }
    }

    @Test
    void aRequestHasItsBitsAloneWhateverTheEngineMakesOfIt() throws Exception {
        List<List<List<Integer>>> alone = alone();
        for (Way way : Way.values()) {
            EngineOptions options =
                    way.change
                            .of(options())
                            .kvCacheBytes(way.blocks * blockBytes())
                            .kvOffloadBytes(way.hostBlocks * blockBytes());
            try (Engine engine = CortadoEngineProvider.open(folder, options, _ -> {}, e -> e)) {
                for (int round = 0; round < (way.isTwice() ? 2 : 1); round++) {
                    assertEquals(alone, together(engine), "%s, round %d".formatted(way, round));
                }
                EngineStats stats = engine.stats();
                assertTrue(way.happened.test(stats), () -> way + ": " + stats);
                assertEquals(0, DemoEngine.blocksUsedInTheEnd(engine), way.name());
            }
        }
    }
}
