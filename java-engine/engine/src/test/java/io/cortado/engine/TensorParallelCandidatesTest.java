package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cortado.api.Engine;
import io.cortado.api.EngineOptions;
import io.cortado.api.GenerationRequest;
import io.cortado.api.GenerationStream;
import io.cortado.api.LogitTraffic;
import io.cortado.api.Penalties;
import io.cortado.api.Prompt;
import io.cortado.api.SamplingParams;
import io.cortado.api.Scoring;
import io.cortado.api.Speculation;
import io.cortado.api.TokenLogprob;
import io.cortado.api.Truncation;
import io.cortado.gang.InProcessGang;
import io.cortado.gang.LateTransport;
import io.cortado.gang.Transport;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Ranks that send candidates say what they say when they send whole rows, to the bit. The same
 * request asks for whole rows where it has a bias that rounding loses: it might raise a logit.
 */
@Timeout(value = 300, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class TensorParallelCandidatesTest {
    private static final Path SUITES =
            Path.of(System.getProperty("cortado.root", "."), "../shared/suites");
    private static final float LOST = 1e-30f;
    private static final int MAX_TOKENS = 10;
    private static final int ENTRY_BYTES = 8;

    @TempDir Path folder;

    /** What is told of a token: equal to the bit. */
    private record Token(int id, float logprob, int rank, List<Token> tops) {
        static Token of(TokenLogprob from) {
            List<Token> tops = from.top().stream().map(Token::of).toList();
            return new Token(from.id(), from.logprob(), from.rank(), tops);
        }
    }

    private static Engine open(Path model, EngineOptions options, int size, long seed) {
        Transport[] ranks = InProcessGang.create(size);
        return CortadoEngineProvider.open(
                model,
                options.tensorParallelSize(size),
                (rank, _, _) -> new LateTransport(ranks[rank], seed));
    }

    private static SamplingParams.Builder drawn(long seed) {
        return SamplingParams.builder()
                .temperature(0.9f)
                .topK(20)
                .seed(seed)
                .ignoreEos(true)
                .maxTokens(MAX_TOKENS);
    }

    /** Each of them may be drawn from candidates. */
    private static List<SamplingParams> params(long seed) {
        SamplingParams.Builder greedy = drawn(seed).temperature(0).topK(0);
        return List.of(
                greedy.build(),
                greedy.logprobs(0).build(),
                greedy.logprobs(5).build(),
                greedy.scoring(new Scoring(5, null, Scoring.Mode.PROCESSED)).build(),
                drawn(seed).build(),
                drawn(seed).topP(0.8f).build(),
                drawn(seed).minP(0.05f).logprobs(3).build(),
                drawn(seed)
                        .topP(0.9f)
                        .scoring(new Scoring(4, null, Scoring.Mode.PROCESSED))
                        .build(),
                drawn(seed).truncation(new Truncation(12, 1, 0, 0.8f, 0, 0, 0, 0)).build(),
                drawn(seed).penalties(new Penalties(1, 0.4f, 0.3f)).logprobs(2).build(),
                drawn(seed).topK(4).penalties(new Penalties(1.3f, 0, 0)).build(),
                drawn(seed).logitBias(Map.of(3, -2f, 9, -100f)).build(),
                drawn(seed).logitBias(Map.of(3, -2f)).logprobs(1).build(),
                drawn(seed).ignoreEos(false).minTokens(4).build());
    }

    private static SamplingParams whole(SamplingParams params) {
        Map<Integer, Float> bias = new HashMap<>(params.logitBias());
        bias.put(7, LOST);
        return params.toBuilder().logitBias(bias).build();
    }

    /** Ids, log-probabilities and ranks as they are told, of requests that run at once. */
    private static List<List<Token>> ask(Engine engine, List<GenerationRequest> requests)
            throws InterruptedException {
        List<GenerationStream> streams = new ArrayList<>();
        for (GenerationRequest request : requests) {
            streams.add(engine.generate(request));
        }
        List<List<Token>> all = new ArrayList<>();
        for (GenerationStream stream : streams) {
            Answers answers = Answers.read(stream);
            assertNull(answers.failure);
            Answers.Answer answer = answers.answers.getFirst();
            List<Token> told = new ArrayList<>();
            answer.logprobs.forEach(token -> told.add(Token.of(token)));
            if (told.isEmpty()) {
                answer.ids.forEach(id -> told.add(new Token(id, 0, 0, List.of())));
            }
            all.add(told);
        }
        return all;
    }

    private static List<GenerationRequest> requests(
            int[] prompt, long seed, UnaryOperator<SamplingParams> change) {
        return params(seed).stream()
                .map(params -> new GenerationRequest(Prompt.tokens(prompt), change.apply(params)))
                .toList();
    }

    /** Every request with candidates and with whole rows, in turns within one batch. */
    private static void compare(Engine engine, int[] prompt, long seed) throws Exception {
        List<GenerationRequest> mixed = new ArrayList<>();
        List<GenerationRequest> few = requests(prompt, seed, params -> params);
        List<GenerationRequest> all = requests(prompt, seed, TensorParallelCandidatesTest::whole);
        for (int i = 0; i < few.size(); i++) {
            mixed.add(few.get(i));
            mixed.add(all.get(i));
        }
        List<List<Token>> expected = ask(engine, all);
        LogitTraffic before = engine.logitTraffic();
        assertEquals(expected, ask(engine, few), "candidates alone");
        LogitTraffic after = engine.logitTraffic();
        assertTrue(after.candidateRows() > before.candidateRows());
        List<List<Token>> both = ask(engine, mixed);
        for (int i = 0; i < few.size(); i++) {
            String what = "request " + i + " seed " + seed;
            assertEquals(expected.get(i), both.get(2 * i), what + " of candidates");
            assertEquals(expected.get(i), both.get(2 * i + 1), what + " of whole rows");
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 4})
    void saysTheSameInAMixedBatch(int size) throws Exception {
        int[] prompt = DemoEngine.goldens().getFirst().prompt();
        for (long seed = 1; seed <= 3; seed++) {
            try (Engine engine = open(DemoEngine.folder(), DemoEngine.options(), size, seed)) {
                compare(engine, prompt, seed);
                compare(engine, prompt, seed + 100);
                assertEquals(0, DemoEngine.blocksUsedInTheEnd(engine));
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"gemma2", "llama", "qwen2", "cohere2"})
    void saysTheSameOfOtherFamilies(String name) throws Exception {
        assumeTrue(Files.exists(SUITES), "there is no " + SUITES);
        Path model = SUITES.resolve("goldens").resolve(name);
        try (Engine engine = open(model, DemoEngine.options().maxModelLen(128), 2, 1)) {
            compare(engine, new int[] {5, 17, 3, 99}, 1);
        }
    }

    /** Ranks, and sizes of a vocabulary that they cannot share out evenly. */
    @ParameterizedTest
    @CsvSource({"2,301", "4,1001"})
    void vocabulariesNeedNotDivide(int size, int vocab) throws Exception {
        TinyModel.in(folder, vocab);
        EngineOptions options = TinyModel.options("cpu").maxNumSeqs(32);
        try (Engine engine = open(folder, options, size, 2)) {
            compare(engine, TinyModel.prompt(3), 5);
        }
    }

    @Test
    void draftsAreDrawnFromCandidatesToo() throws Exception {
        EngineOptions options =
                DemoEngine.options().speculation(Speculation.ngram(4).lookup(1, 3).adaptive(false));
        try (Engine engine = open(DemoEngine.folder(), options, 2, 4)) {
            compare(engine, DemoEngine.goldens().getFirst().prompt(), 1);
            assertTrue(engine.stats().drafts().tokens() > 0);
        }
    }

    /** Ranks and candidates of a row. */
    @ParameterizedTest
    @CsvSource({"2,1", "2,20", "4,1", "4,20"})
    void aRowTakesTheBytesOfItsCandidates(int size, int candidates) throws Exception {
        SamplingParams params =
                drawn(1).temperature(candidates == 1 ? 0 : 1).topK(candidates).build();
        LogitTraffic few = traffic(size, params);
        assertEquals(MAX_TOKENS, few.rows());
        assertEquals(few.rows(), few.candidateRows());
        assertEquals(few.rows() * (size - 1) * candidates * ENTRY_BYTES, few.bytes());
        LogitTraffic all = traffic(size, whole(params));
        assertEquals(few.rows(), all.rows());
        assertEquals(0, all.candidateRows());
        long stride = Math.ceilDiv(Math.ceilDiv(TinyModel.VOCAB, size), 16) * 16L;
        assertEquals(all.rows() * (size - 1) * stride * Float.BYTES, all.bytes());
    }

    private LogitTraffic traffic(int size, SamplingParams params) throws Exception {
        TinyModel.in(folder);
        try (Engine engine = open(folder, TinyModel.options("cpu"), size, 1)) {
            ask(engine, List.of(new GenerationRequest(Prompt.tokens(TinyModel.prompt(1)), params)));
            return engine.logitTraffic();
        }
    }
}
