package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.Constraint;
import io.cortado.api.Embedding;
import io.cortado.api.EmbeddingRequest;
import io.cortado.api.Engine;
import io.cortado.api.EngineException;
import io.cortado.api.EngineOptions;
import io.cortado.api.GangOptions;
import io.cortado.api.GenerationRequest;
import io.cortado.api.GenerationStream;
import io.cortado.api.Penalties;
import io.cortado.api.PlanLoad;
import io.cortado.api.Prompt;
import io.cortado.api.SamplingParams;
import io.cortado.api.Speculation;
import io.cortado.api.TokenLogprob;
import io.cortado.gang.InProcessGang;
import io.cortado.gang.LateTransport;
import io.cortado.gang.Transport;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** An engine of several ranks answers what one of one rank answers. */
@Timeout(value = 300, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class TensorParallelEngineTest {
    private static final double TOLERANCE = 1e-4;
    private static final long BLOCK_BYTES = DemoEngine.Model.DENSE.blockBytes(4);

    /** Ranks that come to their exchanges late, as a seed says. */
    private static GangConnector late(int size, long seed) {
        Transport[] ranks = InProcessGang.create(size);
        return (rank, _, _) -> new LateTransport(ranks[rank], seed);
    }

    private static Engine open(EngineOptions options, int size, long seed) throws IOException {
        return CortadoEngineProvider.open(
                DemoEngine.folder(), options.tensorParallelSize(size), late(size, seed));
    }

    /** An id, its log-probability, and those of the likeliest two. */
    private record Token(int id, float logprob, List<Float> tops) {
        static Token of(TokenLogprob from) {
            return new Token(
                    from.id(),
                    from.logprob(),
                    from.top().stream().map(TokenLogprob::logprob).toList());
        }
    }

    /** Ids and log-probabilities of all answers to all requests, which run at once. */
    private static List<Token> ask(Engine engine, List<GenerationRequest> requests)
            throws InterruptedException {
        List<GenerationStream> streams = new ArrayList<>();
        for (GenerationRequest request : requests) {
            streams.add(engine.generate(request));
        }
        List<Token> all = new ArrayList<>();
        for (GenerationStream stream : streams) {
            Answers answers = Answers.read(stream);
            assertNull(answers.failure);
            for (Answers.Answer answer : answers.answers) {
                assertEquals(answer.ids.size(), answer.logprobs.size());
                answer.logprobs.forEach(token -> all.add(Token.of(token)));
            }
        }
        return all;
    }

    private static void assertClose(List<Token> expected, List<Token> got) {
        assertEquals(ids(expected), ids(got));
        for (int i = 0; i < expected.size(); i++) {
            double difference = Math.abs(expected.get(i).logprob() - got.get(i).logprob());
            assertTrue(difference <= TOLERANCE, "token " + i + " differs by " + difference);
        }
    }

    private static List<Integer> ids(List<Token> tokens) {
        return tokens.stream().map(Token::id).toList();
    }

    private static SamplingParams.Builder greedy(int maxTokens) {
        return SamplingParams.builder().temperature(0).maxTokens(maxTokens).logprobs(2);
    }

    private static GenerationRequest request(DemoEngine.Golden golden, SamplingParams params) {
        return new GenerationRequest(Prompt.tokens(golden.prompt()), params);
    }

    /** Greedy ones, and seeded ones with rules of all kinds. */
    private static List<GenerationRequest> requests() throws IOException {
        List<GenerationRequest> all = new ArrayList<>();
        for (DemoEngine.Golden golden : DemoEngine.goldens()) {
            all.add(request(golden, greedy(golden.greedy().size()).build()));
            SamplingParams drawn =
                    greedy(12)
                            .temperature(0.9f)
                            .seed(7L + all.size())
                            .topK(40)
                            .topP(0.95f)
                            .penalties(new Penalties(1.1f, 0.2f, 0.1f))
                            .ignoreEos(true)
                            .build();
            all.add(request(golden, drawn));
            all.add(request(golden, drawn.toBuilder().n(3).build()));
            all.add(
                    request(
                            golden,
                            greedy(16).constraint(new Constraint.Regex("[a-z ]{4,20}")).build()));
        }
        return all;
    }

    private static List<Token> ofOneRank(EngineOptions options) throws Exception {
        try (Engine engine = DemoEngine.open(options)) {
            return ask(engine, requests());
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 4})
    void saysWhatOneRankSays(int size) throws Exception {
        List<Token> expected = ofOneRank(DemoEngine.options());
        List<Token> first;
        try (Engine engine = open(DemoEngine.options(), size, 1)) {
            first = ask(engine, requests());
            assertClose(expected, first);
            long hits = engine.stats().cache().reusedTokens();
            assertEquals(first, ask(engine, requests()), "prompts that the cache holds");
            assertTrue(engine.stats().cache().reusedTokens() > hits);
            assertEquals(0, DemoEngine.blocksUsedInTheEnd(engine));
        }
        try (Engine engine = open(DemoEngine.options(), size, 2)) {
            assertEquals(first, ask(engine, requests()), "ranks that come at other times");
        }
    }

    @Test
    void greedyIdsAreThePublishedOnes() throws Exception {
        try (Engine engine =
                Engine.open(DemoEngine.folder(), DemoEngine.options().tensorParallelSize(2))) {
            for (DemoEngine.Golden golden : DemoEngine.goldens()) {
                SamplingParams params =
                        SamplingParams.builder()
                                .temperature(0)
                                .maxTokens(golden.greedy().size())
                                .build();
                Answers answers = DemoEngine.ask(engine, golden.prompt(), params);
                assertNull(answers.failure);
                assertEquals(golden.greedy(), answers.ids());
            }
            assertTrue(engine.model().device().startsWith("2 ranks"), engine.model().device());
            try (Engine whole = DemoEngine.open(DemoEngine.options())) {
                assertEquals(whole.model().parameters(), engine.model().parameters());
            }
        }
    }

    @Test
    void chunksAndSequencesThrownOutChangeNothing() throws Exception {
        EngineOptions options = DemoEngine.options().maxModelLen(192);
        List<Token> expected = ofOneRank(options);
        EngineOptions tight =
                options.maxNumBatchedTokens(16).maxNumSeqs(8).kvCacheBytes(14 * BLOCK_BYTES / 2);
        try (Engine engine = open(tight, 2, 3)) {
            List<Token> got = ask(engine, requests());
            assertClose(expected, got);
            assertTrue(engine.stats().preemptions() > 0, "none was thrown out");
            assertEquals(0, DemoEngine.blocksUsedInTheEnd(engine));
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void draftsFromTheTextChangeNothing(boolean isSuffix) throws Exception {
        Speculation how = isSuffix ? Speculation.suffix(4) : Speculation.ngram(4).lookup(1, 3);
        List<Token> expected = ofOneRank(DemoEngine.options());
        try (Engine engine = open(DemoEngine.options().speculation(how.adaptive(false)), 2, 4)) {
            assertClose(expected, ask(engine, requests()));
            assertTrue(engine.stats().drafts().tokens() > 0);
        }
    }

    @Test
    void sameBitsEveryTimeWithShortActivations() throws Exception {
        EngineOptions options =
                DemoEngine.options().activations(EngineOptions.Activations.BF16).maxModelLen(512);
        List<Token> first = null;
        for (long seed = 1; seed <= 3; seed++) {
            try (Engine engine = open(options, 4, seed)) {
                List<Token> got = ask(engine, requests());
                first = first == null ? got : first;
                assertEquals(first, got);
            }
        }
    }

    @Test
    void refusesOptionsThatOtherRanksDoNotKnow() {
        EngineOptions options = DemoEngine.options().tensorParallelSize(2);
        refuses(
                "tensor-parallel-size=2 needs cpu or cuda:N: device=simt:0",
                () -> DemoEngine.open(options.device("simt:0")));
        refuses("no kv-offload-gb: bytes=5", () -> options.kvOffloadBytes(5));
        refuses(
                "no experts on several ranks: ranks with experts=2",
                () -> options.gang(GangOptions.NONE.expertParallel(2)));
        refuses(
                "without a draft model or head: method=mtp",
                () -> options.speculation(Speculation.mtp(2)));
        refuses(
                "must be in [1, 64]: tensor-parallel-size=65",
                () -> options.tensorParallelSize(65));
        refuses(
                "WORLD_SIZE must be the number of ranks, 2",
                () -> options.gang(GangOptions.NONE.process(1, 3, "here")));
        refuses(
                "plan is of one rank: tensor-parallel-size=2",
                () ->
                        new CortadoEngineProvider()
                                .plan(DemoEngine.folder(), options, new PlanLoad(1, 16, 16)));
    }

    private static void refuses(String why, Executable what) {
        EngineException e = assertThrows(EngineException.class, what);
        assertEquals(EngineException.Code.INVALID_REQUEST, e.code());
        assertTrue(String.valueOf(e.getMessage()).contains(why), e::toString);
    }

    @Test
    void poolsWhatOneRankPools() throws Exception {
        float[] expected;
        EmbeddingRequest request =
                new EmbeddingRequest(Prompt.tokens(DemoEngine.goldens().getFirst().prompt()));
        try (Engine engine = DemoEngine.open(DemoEngine.options())) {
            expected = engine.embed(request).getFirst().values();
        }
        try (Engine engine = open(DemoEngine.options(), 2, 5)) {
            List<Embedding> got = engine.embed(request);
            float[] values = got.getFirst().values();
            assertEquals(expected.length, values.length);
            for (int i = 0; i < values.length; i++) {
                assertEquals(expected[i], values[i], 1e-5);
            }
        }
    }
}
