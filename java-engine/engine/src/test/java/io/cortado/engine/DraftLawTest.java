package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.Constraint;
import io.cortado.api.Engine;
import io.cortado.api.EngineOptions;
import io.cortado.api.EngineStats;
import io.cortado.api.GenerationRequest;
import io.cortado.api.GenerationStream;
import io.cortado.api.LogitsProcessor;
import io.cortado.api.LogitsProcessorFactory;
import io.cortado.api.Penalties;
import io.cortado.api.Prompt;
import io.cortado.api.SamplingParams;
import io.cortado.api.Speculation;
import io.cortado.text.Tokenizer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Tokens behind drafts that stand, and behind one that falls, have the law of the target under each
 * sampling option: counted over many answers, against a sort in double precision. {@code
 * -Dcortado.draws=32768} draws a hundred thousand tokens for each option.
 */
@Timeout(value = 900, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class DraftLawTest {
    private static final int N = 128;
    private static final int ALONE = Integer.getInteger("cortado.draws", 1 << 13);
    private static final int TOGETHER = Integer.getInteger("cortado.draws", 1 << 15);

    /** So much that two tokens come about half as often as all others together. */
    private static final float LIKELY = 6.5f;

    @TempDir Path folder;

    private float[] raw = {};

    /** What is said of a row's tokens before; an option that is off does nothing. */
    private record Options(
            float temperature, int topK, float topP, float minP, boolean penalties, boolean masks) {
        static Options of(String name) {
            return switch (name) {
                case "bias" -> new Options(1, 0, 1, 0, false, false);
                case "temperature" -> new Options(0.9f, 0, 1, 0, false, false);
                case "top_k" -> new Options(1, 300, 1, 0, false, false);
                case "top_p" -> new Options(1, 0, 0.93f, 0, false, false);
                case "min_p" -> new Options(1, 0, 1, 1e-4f, false, false);
                case "penalties" -> new Options(1, 0, 1, 0, true, false);
                case "grammar" -> new Options(1, 0, 1, 0, false, true);
                case "all" -> new Options(0.95f, 600, 0.97f, 3e-5f, true, false);
                case "all and grammar" -> new Options(0.95f, 600, 0.97f, 3e-5f, true, true);
                default -> throw new IllegalArgumentException(name);
            };
        }
    }

    @ParameterizedTest
    @CsvSource({
        "1000, bias",
        "1000, temperature",
        "1000, top_k",
        "1000, top_p",
        "1000, min_p",
        "1000, penalties",
        "1000, all",
        "4096, grammar",
        "4096, all",
        "4096, all and grammar"
    })
    void tokensBehindDraftsHaveTheLawOfTheTarget(int vocab, String name) throws Exception {
        Options how = Options.of(name);
        TinyModel.in(folder, vocab);
        BitSet words = new BitSet();
        if (how.masks) {
            words = words();
        } else {
            words.set(0, vocab);
        }
        int first = words.nextSetBit(200);
        int second = words.nextSetBit(first + 1);
        int third = words.nextSetBit(second + 1);
        int[] prompt = {5, first, second, third, 6, 5};
        try (Engine engine = Engine.open(folder, options(vocab))) {
            float[] afterFirst = raw(engine, prompt, first);
            float[] afterSecond = raw(engine, prompt, first, second);
            long[] seconds = new long[vocab];
            long[] thirds = new long[vocab];
            int draws = name.startsWith("all") ? TOGETHER : ALONE;
            SamplingParams params = params(how, first, second);
            draw(
                    engine,
                    prompt,
                    params,
                    draws,
                    answer -> {
                        if (answer.get(0) == first) {
                            seconds[answer.get(1)]++;
                            if (answer.get(1) == second) {
                                thirds[answer.get(2)]++;
                            }
                        }
                    });
            EngineStats.Drafts drafts = engine.stats().drafts();
            assertTrue(drafts.accepted() > draws / 50, drafts::toString);
            assertTrue(drafts.tokens() - drafts.accepted() > draws / 50, drafts::toString);
            double[] law =
                    law(how, bias(afterFirst, first, second), words, prompt, new int[] {first});
            requireFit("second", seconds, law);
            int[] both = {first, second};
            law = law(how, bias(afterSecond, first, second), words, prompt, both);
            requireFit("third", thirds, law);
        }
    }

    /** Tokens of small letters alone: what the grammar allows in a short answer. */
    private BitSet words() throws Exception {
        Path demo = DemoEngine.folder();
        for (String file : List.of("tokenizer.json", "tokenizer_config.json")) {
            Files.copy(demo.resolve(file), folder.resolve(file));
        }
        Path config = folder.resolve("config.json");
        String ended = Files.readString(config).replaceFirst("}$", ",\"eos_token_id\":2}");
        Files.writeString(config, ended);
        Tokenizer tokenizer = Tokenizer.open(folder);
        BitSet words = new BitSet();
        for (int id = 0; id < tokenizer.vocabSize(); id++) {
            if (tokenizer.decode(new int[] {id}, false).matches("[a-z]+")) {
                words.set(id);
            }
        }
        return words;
    }

    private EngineOptions options(int vocab) {
        LogitsProcessorFactory spy =
                new LogitsProcessorFactory() {
                    @Override
                    public String name() {
                        return "spy";
                    }

                    @Override
                    public LogitsProcessor create() {
                        return (context, logits) -> raw = Arrays.copyOf(logits, vocab);
                    }
                };
        return TinyModel.options("cpu")
                .maxNumSeqs(4 * N)
                .maxNumBatchedTokens(4096)
                .maxModelLen(32)
                .speculation(Speculation.ngram(2).lookup(1, 3).adaptive(false))
                .logitsProcessors(List.of(spy));
    }

    private float[] raw(Engine engine, int[] prompt, int... said) throws Exception {
        int[] all = Arrays.copyOf(prompt, prompt.length + said.length);
        System.arraycopy(said, 0, all, prompt.length, said.length);
        SamplingParams spied =
                SamplingParams.builder()
                        .maxTokens(1)
                        .ignoreEos(true)
                        .logitsProcessors(List.of("spy"))
                        .build();
        assertNull(DemoEngine.ask(engine, all, spied).failure);
        return raw;
    }

    private static SamplingParams params(Options how, int first, int second) {
        SamplingParams.Builder params =
                SamplingParams.builder()
                        .maxTokens(4)
                        .ignoreEos(!how.masks)
                        .n(N)
                        .logitBias(Map.of(first, LIKELY, second, LIKELY))
                        .temperature(how.temperature)
                        .topK(how.topK)
                        .topP(how.topP)
                        .minP(how.minP);
        if (how.penalties) {
            params.penalties(new Penalties(1.2f, 0.3f, 0.2f));
        }
        if (how.masks) {
            params.constraint(new Constraint.Regex("[a-z]{99,120}"));
        }
        return params.build();
    }

    private interface Counter {
        void count(List<Integer> answer);
    }

    private static void draw(
            Engine engine, int[] prompt, SamplingParams params, int draws, Counter counter)
            throws Exception {
        Deque<GenerationStream> underWay = new ArrayDeque<>();
        for (int i = 0; i < draws / N; i++) {
            SamplingParams seeded = params.toBuilder().seed((long) i).build();
            underWay.add(engine.generate(new GenerationRequest(Prompt.tokens(prompt), seeded)));
            if (underWay.size() > 3) {
                count(underWay.remove(), counter);
            }
        }
        for (GenerationStream stream : underWay) {
            count(stream, counter);
        }
    }

    private static void count(GenerationStream stream, Counter counter) throws Exception {
        Answers answers = Answers.read(stream);
        assertNull(answers.failure);
        for (Answers.Answer answer : answers.answers) {
            assertEquals(4, answer.ids.size());
            counter.count(answer.ids);
        }
    }

    private static float[] bias(float[] logits, int... likely) {
        float[] biased = logits.clone();
        for (int id : likely) {
            biased[id] += LIKELY;
        }
        return biased;
    }

    private static double[] law(
            Options how, float[] logits, BitSet allowed, int[] prompt, int[] output) {
        double[] x = new double[logits.length];
        for (int id = 0; id < x.length; id++) {
            x[id] = allowed.get(id) ? logits[id] : Double.NEGATIVE_INFINITY;
        }
        if (how.penalties) {
            Map<Integer, Integer> counts = new HashMap<>();
            Arrays.stream(prompt).forEach(id -> counts.putIfAbsent(id, 0));
            Arrays.stream(output).forEach(id -> counts.merge(id, 1, Integer::sum));
            counts.forEach((id, count) -> {
                x[id] = x[id] < 0 ? x[id] * 1.2f : x[id] / 1.2f;
                x[id] -= count * 0.3f + (count > 0 ? 0.2f : 0);
            });
        }
        List<Integer> order = new ArrayList<>();
        allowed.stream().filter(id -> id < x.length).forEach(order::add);
        order.sort((a, b) -> Double.compare(x[b], x[a]));
        double largest = x[order.getFirst()];
        double[] weights = new double[x.length];
        double sum = 0;
        int kept = 0;
        for (int id : order) {
            double weight = Math.exp((x[id] - largest) / how.temperature);
            if (weight >= how.minP && (how.topK <= 0 || kept < how.topK)) {
                weights[id] = weight;
                sum += weight;
                kept++;
            }
        }
        double before = 0;
        double left = 0;
        for (int id : order) {
            boolean isKept = how.topP >= 1 || before < how.topP * sum;
            before += weights[id];
            weights[id] = isKept ? weights[id] : 0;
            left += weights[id];
        }
        double all = left;
        return Arrays.stream(weights).map(weight -> weight / all).toArray();
    }

    /** Chi-square within df + 10 sqrt(2 df); neighbours share a bin until it expects five. */
    private static void requireFit(String which, long[] counts, double[] expected) {
        long draws = Arrays.stream(counts).sum();
        double chi = 0;
        int bins = 0;
        double binExpected = 0;
        long bin = 0;
        for (int id = 0; id < counts.length; id++) {
            if (expected[id] == 0) {
                assertEquals(0, counts[id], which + ": an impossible token was drawn: id=" + id);
            }
            binExpected += expected[id] * draws;
            bin += counts[id];
            if (binExpected >= 5) {
                chi += (bin - binExpected) * (bin - binExpected) / binExpected;
                bins++;
                binExpected = 0;
                bin = 0;
            }
        }
        int df = bins - 1;
        assertTrue(df > 20, which + ": too few bins: " + bins);
        double limit = df + 10 * Math.sqrt(2.0 * df);
        assertTrue(chi < limit, which + ": chi=" + chi + " limit=" + limit + " draws=" + draws);
    }
}
