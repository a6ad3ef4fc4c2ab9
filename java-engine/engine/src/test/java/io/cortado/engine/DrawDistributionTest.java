package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.Engine;
import io.cortado.api.EngineOptions;
import io.cortado.api.GenerationRequest;
import io.cortado.api.GenerationStream;
import io.cortado.api.LogitsProcessor;
import io.cortado.api.LogitsProcessorFactory;
import io.cortado.api.Prompt;
import io.cortado.api.SamplingParams;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What the engine draws has the distribution that a double-precision sort gives. */
@Timeout(value = 900, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class DrawDistributionTest {
    private static final int VOCAB = 1000;
    private static final int N = 128;
    private static final int DRAWS = Integer.getInteger("cortado.draws", 1 << 17);

    private static final int[] PROMPT = {7, 8, 9};

    @TempDir Path folder;

    private final float[] raw = new float[VOCAB];

    private EngineOptions options() {
        LogitsProcessorFactory spy =
                new LogitsProcessorFactory() {
                    @Override
                    public String name() {
                        return "spy";
                    }

                    @Override
                    public LogitsProcessor create() {
                        return (context, logits) -> System.arraycopy(logits, 0, raw, 0, VOCAB);
                    }
                };
        return TinyModel.options("cpu")
                .maxNumSeqs(4 * N)
                .maxNumBatchedTokens(2048)
                .maxModelLen(32)
                .logitsProcessors(List.of(spy));
    }

    private static SamplingParams.Builder params() {
        return SamplingParams.builder().maxTokens(1).ignoreEos(true);
    }

    @Test
    void drawsByTheDistributionOfItsParameters() throws Exception {
        SamplingParams everything =
                params().temperature(0.8f)
                        .logitBias(Map.of(11, 2.5f, 13, -100f))
                        .minP(0.02f)
                        .topK(400)
                        .topP(0.95f)
                        .build();
        try (Engine engine = Engine.open(TinyModel.in(folder, VOCAB), options())) {
            Answers.read(
                    engine.generate(request(params().logitsProcessors(List.of("spy")).build(), 1)));
            check(engine, params().build(), distribution(raw, 1, 0, VOCAB, 1));
            float[] biased = raw.clone();
            biased[11] += 2.5f;
            biased[13] = Float.NEGATIVE_INFINITY;
            check(engine, everything, distribution(biased, 0.8f, 0.02f, 400, 0.95f));
        }
    }

    private static GenerationRequest request(SamplingParams params, long seed) {
        return new GenerationRequest(Prompt.tokens(PROMPT), params.toBuilder().seed(seed).build());
    }

    private static void check(Engine engine, SamplingParams params, double[] expected)
            throws Exception {
        long[] counts = new long[VOCAB];
        Deque<GenerationStream> underWay = new ArrayDeque<>();
        SamplingParams many = params.toBuilder().n(N).build();
        int requests = DRAWS / N;
        for (int i = 0; i < requests; i++) {
            underWay.add(engine.generate(request(many, i)));
            if (underWay.size() > 6) {
                count(underWay.remove(), counts);
            }
        }
        for (GenerationStream stream : underWay) {
            count(stream, counts);
        }
        requireFit(counts, expected, (long) requests * N);
    }

    private static void count(GenerationStream stream, long[] counts) throws Exception {
        Answers answers = Answers.read(stream);
        assertNull(answers.failure);
        for (Answers.Answer answer : answers.answers) {
            counts[answer.ids.getFirst()]++;
        }
    }

    /** Chi-square over bins of at least five, within df + 10 sqrt(2 df). */
    private static void requireFit(long[] counts, double[] expected, long draws) {
        double chi = 0;
        int bins = 0;
        double restExpected = 0;
        long rest = 0;
        for (int id = 0; id < VOCAB; id++) {
            if (expected[id] == 0) {
                assertEquals(0, counts[id], "an impossible token was drawn: id=" + id);
            } else if (expected[id] * draws < 5) {
                restExpected += expected[id] * draws;
                rest += counts[id];
            } else {
                double off = counts[id] - expected[id] * draws;
                chi += off * off / (expected[id] * draws);
                bins++;
            }
        }
        if (restExpected >= 5) {
            chi += (rest - restExpected) * (rest - restExpected) / restExpected;
            bins++;
        }
        int df = bins - 1;
        assertTrue(df > 50, "too few bins: " + bins);
        double limit = df + 10 * Math.sqrt(2.0 * df);
        assertTrue(chi < limit, "chi=" + chi + " limit=" + limit + " draws=" + draws);
    }

    /** Temperature, min-p, top-k, top-p, each over what the one before has left. */
    private static double[] distribution(
            float[] logits, double temperature, double minP, int topK, double topP) {
        Integer[] order = IntStream.range(0, VOCAB).boxed().toArray(Integer[]::new);
        Arrays.sort(order, Comparator.comparingDouble((Integer id) -> -logits[id]));
        double largest = logits[order[0]];
        double[] weights = new double[VOCAB];
        double sum = 0;
        int kept = 0;
        for (int id : order) {
            double weight = Math.exp((logits[id] - largest) / temperature);
            if (weight > 0 && weight >= minP && kept < topK) {
                weights[id] = weight;
                sum += weight;
                kept++;
            }
        }
        double before = 0;
        double left = 0;
        for (int id : order) {
            boolean isKept = before < topP * sum;
            before += weights[id];
            weights[id] = isKept ? weights[id] : 0;
            left += weights[id];
        }
        for (int id = 0; id < VOCAB; id++) {
            weights[id] /= left;
        }
        return weights;
    }
}
