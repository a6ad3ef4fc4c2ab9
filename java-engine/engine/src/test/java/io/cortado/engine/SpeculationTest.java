package io.cortado.engine;

import static java.util.Objects.requireNonNull;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.Constraint;
import io.cortado.api.Dry;
import io.cortado.api.Engine;
import io.cortado.api.EngineOptions;
import io.cortado.api.EngineStats;
import io.cortado.api.GenerationRequest;
import io.cortado.api.GenerationStream;
import io.cortado.api.Mirostat;
import io.cortado.api.Penalties;
import io.cortado.api.Prompt;
import io.cortado.api.RequestReport;
import io.cortado.api.SamplingParams;
import io.cortado.api.Speculation;
import io.cortado.api.TokenLogprob;
import io.cortado.api.TokenRules;
import io.cortado.api.Truncation;
import io.cortado.api.Usage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * With drafts every answer is, bit for bit, what it is without them: under each sampling option,
 * alone and in company, whoever drafts.
 */
@Timeout(value = 300, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class SpeculationTest {
    private static final int MAX_TOKENS = 48;

    /** What may be asked for. */
    private static Map<String, UnaryOperator<SamplingParams.Builder>> options() {
        Map<String, UnaryOperator<SamplingParams.Builder>> options = new LinkedHashMap<>();
        options.put("greedy", b -> b.temperature(0));
        options.put("temperature", b -> b.temperature(1));
        options.put("truncated", b -> b.temperature(1.3f).topK(40).topP(0.9f).minP(0.02f));
        options.put("typical", b -> b.temperature(1).truncation(Truncation.NONE.typicalP(0.8f)));
        options.put(
                "penalties", b -> b.temperature(0.7f).penalties(new Penalties(1.2f, 0.3f, 0.2f)));
        options.put("greedy penalties", b -> b.temperature(0).penalties(new Penalties(1.3f, 0, 0)));
        options.put("mirostat", b -> b.temperature(1).mirostat(new Mirostat(2, 4, 0.1f)));
        options.put("dry", b -> b.temperature(0.5f).dry(Dry.OFF.multiplier(0.8f)));
        options.put(
                "bias and bad words",
                b ->
                        b.temperature(0.8f)
                                .tokens(
                                        TokenRules.NONE
                                                .logitBias(Map.of(300, 2f, 301, -3f))
                                                .badWords(List.of("the", "is a"))));
        options.put("logprobs", b -> b.temperature(0.6f).logprobs(3));
        options.put("n", b -> b.temperature(1).n(3));
        options.put("stop string", b -> b.temperature(0).stop(List.of(" a ")));
        options.put("min tokens", b -> b.temperature(0).minTokens(20));
        options.put(
                "schema",
                b ->
                        b.temperature(1)
                                .constraint(
                                        new Constraint.JsonSchema(
                                                "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\",\"maxLength\":20},\"n\":{\"type\":\"integer\"}},\"required\":[\"name\",\"n\"],\"additionalProperties\":false}")));
        options.put(
                "regex", b -> b.temperature(0).constraint(new Constraint.Regex("[a-z ]{30,40}")));
        return options;
    }

    static Stream<Arguments> proposers() throws IOException {
        String draft = DemoEngine.draftFolder().toString();
        String head = DemoEngine.headFolder().toString();
        Speculation ngram = Speculation.ngram(4).adaptive(false).lookup(1, 3);
        Speculation suffix = Speculation.suffix(3).lookup(1, 4);
        return Stream.of(
                Arguments.of(DemoEngine.Model.DENSE, ngram),
                Arguments.of(DemoEngine.Model.DENSE, suffix),
                Arguments.of(
                        DemoEngine.Model.DENSE, Speculation.draftModel(draft, 4).adaptive(false)),
                Arguments.of(DemoEngine.Model.DENSE, Speculation.draftModel(draft, 2)),
                Arguments.of(DemoEngine.Model.DENSE, Speculation.eagle3(head, 4).adaptive(false)),
                Arguments.of(DemoEngine.Model.DENSE, Speculation.eagle3(head, 3)),
                Arguments.of(
                        DemoEngine.Model.DENSE,
                        Speculation.draftModel(draft, 4).tree(10, 3).adaptive(false)),
                Arguments.of(DemoEngine.Model.DENSE, Speculation.draftModel(draft, 3).tree(8, 2)),
                Arguments.of(
                        DemoEngine.Model.DENSE,
                        Speculation.eagle3(head, 4).tree(16, 4).adaptive(false)),
                Arguments.of(DemoEngine.Model.DENSE, Speculation.eagle3(head, 5).tree(12, 3)),
                Arguments.of(DemoEngine.Model.EXPERTS, ngram),
                Arguments.of(DemoEngine.Model.EXPERTS, suffix));
    }

    @ParameterizedTest
    @MethodSource("proposers")
    void answersAreTheSameAsWithout(DemoEngine.Model model, Speculation speculation)
            throws Exception {
        List<GenerationRequest> requests = requests();
        EngineOptions options =
                DemoEngine.options().activations(EngineOptions.Activations.BF16).maxModelLen(512);
        List<String> without;
        try (Engine engine = model.open(options)) {
            without = alone(engine, requests);
        }
        try (Engine engine = model.open(options.speculation(speculation))) {
            assertSame(requests, without, alone(engine, requests));
            EngineStats.Drafts drafts = engine.stats().drafts();
            if (!speculation.adaptive()) { // else times decide
                assertTrue(drafts.accepted() > 20, () -> "accepted: " + drafts);
                assertTrue(drafts.tokens() > drafts.accepted(), () -> "all accepted: " + drafts);
            }
            assertSame(requests, without, together(engine, requests));
        }
        // Few blocks: sequences are thrown out in between.
        long block = model.blockBytes(2);
        EngineOptions tight = options.kvCacheBytes(26 * block).maxModelLen(320).maxNumSeqs(16);
        try (Engine engine = model.open(tight.speculation(speculation))) {
            assertSame(requests, without, together(engine, requests));
            assertTrue(engine.stats().preemptions() > 0);
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void eachRequestIsToldOfItsDrafts(boolean inTrees) throws Exception {
        Speculation chains = Speculation.draftModel(DemoEngine.draftFolder().toString(), 4);
        Speculation how = inTrees ? chains.tree(9, 3) : chains;
        try (Engine engine =
                DemoEngine.open(DemoEngine.options().speculation(how.adaptive(false)))) {
            int accepted = 0;
            int rejected = 0;
            for (GenerationRequest request : requests()) {
                Answers answers = Answers.read(engine.generate(request));
                RequestReport.Drafts drafts = requireNonNull(answers.report).drafts();
                Usage usage = requireNonNull(answers.usage);
                assertEquals(drafts.accepted(), usage.acceptedDraftTokens());
                assertEquals(drafts.tokens(), drafts.accepted() + usage.rejectedDraftTokens());
                assertTrue(usage.acceptedDraftTokens() < usage.completionTokens());
                accepted += usage.acceptedDraftTokens();
                rejected += usage.rejectedDraftTokens();
            }
            EngineStats.Drafts all = engine.stats().drafts();
            assertEquals(all.accepted(), accepted);
            assertEquals(all.tokens(), accepted + rejected);
            assertTrue(accepted > 0 && rejected > 0, all::toString);
        }
    }

    static Stream<Arguments> tinyOnes() {
        return Devices.all().stream()
                .flatMap(device ->
                        Stream.of(
                                Arguments.of(device, "ngram"),
                                Arguments.of(device, "draft_model"),
                                Arguments.of(device, "trees")));
    }

    /** On each device; the draft model is the target itself: but for penalties all drafts stand. */
    @ParameterizedTest
    @MethodSource("tinyOnes")
    void kernelsOfEachDeviceVerifyAlike(String device, String method, @TempDir Path folder)
            throws Exception {
        Devices.assumePresent(device);
        TinyModel.in(folder);
        boolean isNgram = method.equals("ngram");
        Speculation how =
                isNgram
                        ? Speculation.ngram(3).lookup(1, 3)
                        : Speculation.draftModel(folder.toString(), 3);
        if (method.equals("trees")) {
            how = how.tree(7, 3);
        }
        EngineOptions options = TinyModel.options(device);
        List<GenerationRequest> requests = new ArrayList<>();
        for (int i = 0; i < 6; i++) {
            SamplingParams params =
                    TinyModel.params(i, 20).toBuilder()
                            .penalties(i < 3 ? Penalties.NONE : new Penalties(1.1f, 0.2f, 0))
                            .logprobs(1)
                            .build();
            requests.add(new GenerationRequest(Prompt.tokens(TinyModel.prompt(i)), params));
        }
        List<String> without;
        try (Engine engine = Engine.open(folder, options)) {
            without = alone(engine, requests);
        }
        try (Engine engine = Engine.open(folder, options.speculation(how.adaptive(false)))) {
            assertEquals(without, alone(engine, requests));
            assertEquals(without, together(engine, requests));
            EngineStats.Drafts drafts = engine.stats().drafts();
            if (isNgram) {
                assertTrue(drafts.tokens() > drafts.accepted(), drafts::toString);
            } else {
                assertTrue(drafts.accepted() > 80, drafts::toString);
            }
        }
    }

    private static List<GenerationRequest> requests() throws Exception {
        List<GenerationRequest> requests = new ArrayList<>();
        int i = 0;
        for (var option : options().entrySet()) {
            for (int k = 0; k < 2; k++) {
                int[] prompt = DemoEngine.goldens().get((i + 3 * k) % 7).prompt();
                SamplingParams.Builder params =
                        SamplingParams.builder().seed((long) i).maxTokens(MAX_TOKENS);
                requests.add(
                        new GenerationRequest(
                                Prompt.tokens(prompt), option.getValue().apply(params).build()));
            }
            i++;
        }
        return requests;
    }

    private static void assertSame(
            List<GenerationRequest> requests, List<String> expected, List<String> actual) {
        List<String> names = new ArrayList<>(options().keySet());
        for (int i = 0; i < requests.size(); i++) {
            String name = names.get(i / 2);
            assertEquals(expected.get(i), actual.get(i), () -> "option: " + name);
        }
    }

    private static List<String> alone(Engine engine, List<GenerationRequest> requests)
            throws Exception {
        List<String> all = new ArrayList<>();
        for (GenerationRequest request : requests) {
            all.add(told(Answers.read(engine.generate(request))));
        }
        return all;
    }

    private static List<String> together(Engine engine, List<GenerationRequest> requests)
            throws Exception {
        List<GenerationStream> streams = new ArrayList<>();
        for (GenerationRequest request : requests) {
            streams.add(engine.generate(request));
        }
        List<String> all = new ArrayList<>();
        for (GenerationStream stream : streams) {
            all.add(told(Answers.read(stream)));
        }
        return all;
    }

    /** Ids, text, reasons and the bits of log-probabilities. */
    private static String told(Answers answers) {
        StringBuilder text = new StringBuilder();
        if (answers.failure != null) {
            return "failed: " + answers.failure.getMessage();
        }
        for (Answers.Answer answer : answers.answers) {
            text.append(answer.ids).append(answer.reason).append(answer.text());
            answer.logprobs.forEach(token -> text.append(bits(token)));
            text.append('\n');
        }
        return text.toString();
    }

    private static String bits(TokenLogprob token) {
        StringBuilder text = new StringBuilder();
        text.append(token.id()).append(':').append(Float.floatToRawIntBits(token.logprob()));
        text.append(':').append(token.rank());
        token.top().forEach(other -> text.append(bits(other)));
        return text.append(' ').toString();
    }
}
