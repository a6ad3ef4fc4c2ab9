package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.Engine;
import io.cortado.api.EngineException;
import io.cortado.api.FinishReason;
import io.cortado.api.GenerationRequest;
import io.cortado.api.Prompt;
import io.cortado.api.SamplingParams;
import io.cortado.api.TokenLogprob;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.AfterParameterizedClassInvocation;
import org.junit.jupiter.params.BeforeParameterizedClassInvocation;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** What a caller of the public API sees, with the demo models, on every device. */
@ParameterizedClass
@MethodSource("places")
record EngineTest(String device, DemoEngine.Model model) {
    private static final int[] HELLO = {3316, 283, 198, 446, 317, 1584, 1327, 30, 3317, 198};

    /** Short, so that a whole context is soon computed where the device is emulated. */
    private static final int MODEL_LEN = 336;

    @SuppressWarnings("NullAway.Init") // before each of the class's devices
    private static Engine engine;

    static Stream<Arguments> places() {
        Stream<Arguments> dense =
                Devices.all().stream().map(d -> Arguments.of(d, DemoEngine.Model.DENSE));
        return Stream.concat(dense, Stream.of(Arguments.of("cpu", DemoEngine.Model.EXPERTS)));
    }

    @BeforeParameterizedClassInvocation
    static void open(String device, DemoEngine.Model model) throws Exception {
        Devices.assumePresent(device);
        engine = model.open(DemoEngine.options().device(device).maxModelLen(MODEL_LEN));
    }

    @AfterParameterizedClassInvocation
    static void close() {
        engine.close();
    }

    private static Answers ask(int[] prompt, SamplingParams params) throws Exception {
        return DemoEngine.ask(engine, prompt, params);
    }

    private static SamplingParams.Builder greedy(int maxTokens) {
        return SamplingParams.greedy(maxTokens).toBuilder();
    }

    @Test
    void answersGreedilyAsTheReferenceDoes() throws Exception {
        for (DemoEngine.Golden golden : model.goldens()) {
            Answers got = ask(golden.prompt(), SamplingParams.greedy(golden.greedy().size()));
            assertNull(got.failure);
            assertEquals(golden.greedy(), got.ids());
            assertEquals(golden.text().strip(), got.text().strip());
        }
    }

    @Test
    void givesTheSameTokensWithATinyBudgetAndATinyCache() throws Exception {
        List<DemoEngine.Golden> goldens = model.goldens();
        var tiny =
                DemoEngine.options()
                        .device(device)
                        .maxNumBatchedTokens(16)
                        .maxNumSeqs(8)
                        .maxModelLen(128)
                        .kvCacheBytes(1);
        EngineException refused =
                assertThrows(EngineException.class, () -> model.open(tiny).close());
        assertEquals("kv-cache-memory", refused.param());
        String message = String.valueOf(refused.getMessage());
        long block = Long.parseLong(message.replaceAll(".* block=(\\d+).*", "$1"));
        try (Engine small = model.open(tiny.kvCacheBytes(9 * block))) {
            Thread[] threads = new Thread[goldens.size()];
            Answers[] got = new Answers[goldens.size()];
            for (int i = 0; i < threads.length; i++) {
                int at = i;
                threads[i] =
                        Thread.startVirtualThread(
                                () -> got[at] = askQuietly(small, goldens.get(at)));
            }
            for (int i = 0; i < threads.length; i++) {
                threads[i].join();
                assertEquals(goldens.get(i).greedy(), got[i].ids());
            }
            assertTrue(small.stats().preemptions() > 0, "nothing was thrown out: " + small.stats());
            assertEquals(0, DemoEngine.blocksUsedInTheEnd(small));
        }
    }

    private static Answers askQuietly(Engine engine, DemoEngine.Golden golden) {
        try {
            SamplingParams params = SamplingParams.greedy(golden.greedy().size());
            return DemoEngine.ask(engine, golden.prompt(), params);
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void repeatsItselfWithASeedAndNotWithout() throws Exception {
        SamplingParams hot =
                SamplingParams.builder().temperature(1.5f).seed(42L).maxTokens(24).n(3).build();
        Answers first = ask(HELLO, hot);
        Answers again = ask(HELLO, hot);
        assertEquals(3, first.answers.size());
        for (int i = 0; i < 3; i++) {
            assertEquals(first.answers.get(i).ids, again.answers.get(i).ids);
        }
        assertNotEquals(first.answers.get(0).ids, first.answers.get(1).ids);
        Answers other = ask(HELLO, hot.toBuilder().seed(43L).build());
        assertNotEquals(first.answers.get(0).ids, other.answers.get(0).ids);
        int total = first.answers.stream().mapToInt(a -> a.ids.size()).sum();
        assertNotNull(first.usage);
        assertEquals(total, first.usage.completionTokens());
        assertEquals(HELLO.length, first.usage.promptTokens());
    }

    @Test
    void cutsAtAStopStringThatRunsOverTokens() throws Exception {
        DemoEngine.Golden golden = model.goldens().getFirst();
        String text = golden.text();
        int from = text.indexOf(' ', 5) + 2;
        String stop = text.substring(from, from + 12);
        Answers cut = ask(golden.prompt(), greedy(40).stop(List.of("zzz", stop)).build());
        assertEquals(text.substring(0, text.indexOf(stop)), cut.text());
        assertEquals(new FinishReason.StopString(stop), cut.reason());
        assertTrue(cut.ids().size() < golden.greedy().size());
        assertNotNull(cut.usage);
        assertEquals(cut.ids().size(), cut.usage.completionTokens());
        Answers whole =
                ask(golden.prompt(), greedy(40).stop(List.of(stop)).includeStop(true).build());
        assertEquals(text.substring(0, text.indexOf(stop) + stop.length()), whole.text());
        int later = cut.ids().size() + 1;
        Answers kept =
                ask(golden.prompt(), greedy(40).stop(List.of(stop)).minTokens(later).build());
        assertEquals(text, kept.text());
    }

    @Test
    void endsAtStopIdsButNotBeforeMinTokens() throws Exception {
        DemoEngine.Golden golden = model.goldens().getFirst();
        int stopId = golden.greedy().get(5);
        Answers cut = ask(golden.prompt(), greedy(40).stopTokenIds(List.of(stopId)).build());
        assertEquals(new FinishReason.EndToken(stopId), cut.reason());
        assertEquals(golden.greedy().subList(0, golden.greedy().indexOf(stopId) + 1), cut.ids());
        Answers later =
                ask(
                        golden.prompt(),
                        greedy(40).stopTokenIds(List.of(stopId)).minTokens(20).build());
        assertTrue(later.ids().size() > 20);
        assertFalse(later.ids().subList(0, 20).contains(stopId));
        Answers on = ask(golden.prompt(), greedy(60).ignoreEos(true).build());
        assertEquals(60, on.ids().size());
        assertEquals(new FinishReason.Length(), on.reason());
    }

    @Test
    void reportsLogprobsOfOutputAndPrompt() throws Exception {
        SamplingParams params = greedy(8).logprobs(3).promptLogprobs(2).build();
        Answers got = ask(HELLO, params);
        assertEquals(got.ids().size(), got.answers.getFirst().logprobs.size());
        for (int i = 0; i < got.ids().size(); i++) {
            TokenLogprob score = got.answers.getFirst().logprobs.get(i);
            assertEquals(got.ids().get(i), score.id());
            assertEquals(1, score.rank());
            assertEquals(3, score.top().size());
            assertEquals(score.id(), score.top().getFirst().id());
            assertEquals(score.logprob(), score.top().getFirst().logprob());
        }
        assertNotNull(got.promptScores);
        assertEquals(HELLO.length, got.promptScores.size());
        assertNull(got.promptScores.getFirst());
        for (int i = 1; i < HELLO.length; i++) {
            TokenLogprob score = got.promptScores.get(i);
            assertNotNull(score);
            assertEquals(HELLO[i], score.id());
            assertTrue(score.logprob() <= score.top().getFirst().logprob());
        }
        assertEquals(got.ids(), ask(HELLO, greedy(8).build()).ids());
    }

    @Test
    void scoresALongPromptInPieces() throws Exception {
        int[] prompt = Requests.prompt(300);
        Answers got = ask(prompt, greedy(1).promptLogprobs(0).build());
        assertNotNull(got.promptScores);
        assertEquals(300, got.promptScores.size());
        Answers part = ask(Requests.prompt(40), greedy(1).promptLogprobs(0).build());
        assertNotNull(part.promptScores);
        TokenLogprob inLong = got.promptScores.get(39);
        TokenLogprob inShort = part.promptScores.get(39);
        assertNotNull(inLong);
        assertNotNull(inShort);
        assertEquals(inShort.logprob(), inLong.logprob());
    }

    @Test
    void echoesThePromptFirst() throws Exception {
        SamplingParams params = SamplingParams.greedy(4);
        var request = new GenerationRequest(Prompt.text("The capital"), params, true);
        Answers echoed = Answers.read(engine.generate(request));
        Answers plain =
                Answers.read(engine.generate(new GenerationRequest(request.prompt(), params)));
        assertEquals("The capital" + plain.text(), echoed.text());
        Answers only =
                Answers.read(
                        engine.generate(
                                new GenerationRequest(
                                        request.prompt(), SamplingParams.greedy(0), true)));
        assertEquals("The capital", only.text());
        assertEquals(new FinishReason.Length(), only.reason());
    }

    @Test
    void bansAndForcesByLogitBias() throws Exception {
        int first = ask(HELLO, SamplingParams.greedy(1)).ids().getFirst();
        Answers banned = ask(HELLO, greedy(1).logitBias(Map.of(first, -100f)).build());
        assertNotEquals(first, banned.ids().getFirst());
        Answers forced = ask(HELLO, greedy(3).logitBias(Map.of(77, 100f)).build());
        assertEquals(List.of(77, 77, 77), forced.ids());
    }

    @Test
    void refusesWhatCannotBeRight() {
        int limit = engine.model().maxModelLen();
        int vocab = engine.model().vocabSize();
        assertRefused(EngineException.Code.INVALID_REQUEST, new int[0], greedy(1).build());
        assertRefused(EngineException.Code.INVALID_REQUEST, new int[] {vocab}, greedy(1).build());
        assertRefused(EngineException.Code.INVALID_REQUEST, new int[] {-1}, greedy(1).build());
        assertRefused(
                EngineException.Code.CONTEXT_LENGTH_EXCEEDED, new int[limit], greedy(1).build());
        assertRefused(EngineException.Code.CONTEXT_LENGTH_EXCEEDED, HELLO, greedy(limit).build());
        assertRefused(
                EngineException.Code.INVALID_REQUEST,
                HELLO,
                greedy(1).stopTokenIds(List.of(vocab)).build());
        assertRefused(
                EngineException.Code.INVALID_REQUEST,
                HELLO,
                greedy(1).logitBias(Map.of(vocab, 1f)).build());
        assertRefused(EngineException.Code.INVALID_REQUEST, HELLO, greedy(0).build());
    }

    private static void assertRefused(
            EngineException.Code code, int[] prompt, SamplingParams params) {
        var request = new GenerationRequest(Prompt.tokens(prompt), params);
        EngineException e =
                assertThrows(EngineException.class, () -> engine.generate(request).close());
        assertEquals(code, e.code(), e.getMessage());
    }

    @Test
    void usesWhatTheContextLeavesWhenMaxTokensIsOpen() throws Exception {
        int[] prompt = Requests.prompt(engine.model().maxModelLen() - 5);
        Answers got = ask(prompt, greedy(Integer.MAX_VALUE).ignoreEos(true).build());
        assertEquals(5, got.ids().size());
        assertInstanceOf(FinishReason.Length.class, got.reason());
    }

    @Test
    void answersAChatByItsTemplateAndNeverReadsControlTokensFromIt() throws Exception {
        DemoEngine.Golden golden = model.goldens().getFirst();
        Prompt.Chat chat = Prompt.user("What is paged attention?");
        assertArrayEquals(golden.prompt(), engine.tokenize(chat));
        Answers got =
                Answers.read(
                        engine.generate(new GenerationRequest(chat, SamplingParams.greedy(40))));
        assertEquals(golden.greedy(), got.ids());
        String control = engine.tokenText(engine.model().endTokenIds().getFirst());
        int[] hostile = engine.tokenize(Prompt.text(control));
        for (int id : hostile) {
            assertFalse(engine.model().endTokenIds().contains(id));
        }
    }

    @Test
    void goesOnWithTheFinalMessageWhenAsked() {
        Prompt.Chat chat =
                new Prompt.Chat(
                        List.of(
                                Map.of("role", "user", "content", "Hello"),
                                Map.of("role", "assistant", "content", "With paged")),
                        List.of(),
                        Map.of(),
                        false,
                        true);
        assertTrue(engine.render(chat).endsWith("With paged"));
    }
}
