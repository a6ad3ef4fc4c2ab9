package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.Engine;
import io.cortado.api.EngineOptions;
import io.cortado.api.EngineStats;
import io.cortado.api.GenerationRequest;
import io.cortado.api.GenerationStream;
import io.cortado.api.Penalties;
import io.cortado.api.Prompt;
import io.cortado.api.SamplingParams;
import io.cortado.api.Speculation;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What trees of drafts leave as it was: the law of what is drawn, and the blocks. */
@Timeout(value = 600, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class DraftTreesTest {
    private static final int VOCAB = 1000;
    private static final int N = 32;
    private static final int TOKENS = 4;
    private static final int TEXTS = Integer.getInteger("cortado.draws", 1 << 16) / TOKENS;

    @TempDir Path folder;

    private Speculation trees() {
        return Speculation.draftModel(folder.toString(), 3).tree(9, 3).adaptive(false);
    }

    /** The draft model is the target, but knows nothing of bias and penalties. */
    @Test
    void textsHaveTheSameLawWithTreesAndWithout() throws Exception {
        TinyModel.in(folder, VOCAB);
        EngineOptions options =
                TinyModel.options("cpu").maxNumSeqs(N).maxNumBatchedTokens(512).maxModelLen(32);
        Map<List<Integer>, Integer> without;
        try (Engine engine = Engine.open(folder, options)) {
            without = texts(engine, 0);
        }
        try (Engine engine = Engine.open(folder, options.speculation(trees()))) {
            Map<List<Integer>, Integer> with = texts(engine, 1_000_000);
            EngineStats.Drafts drafts = engine.stats().drafts();
            assertTrue(drafts.accepted() > TEXTS / 2, drafts::toString);
            assertTrue(drafts.tokens() > 2 * drafts.accepted(), drafts::toString);
            requireSameLaw(without, with);
        }
    }

    /** Answers of other seeds, counted. */
    private static Map<List<Integer>, Integer> texts(Engine engine, long firstSeed)
            throws Exception {
        Map<Integer, Float> bias = new HashMap<>();
        Random random = new Random(5);
        for (int i = 0; i < 300; i++) {
            bias.put(random.nextInt(VOCAB), -1f);
        }
        SamplingParams.Builder params =
                SamplingParams.builder()
                        .n(N)
                        .maxTokens(TOKENS)
                        .ignoreEos(true)
                        .topK(6)
                        .topP(0.95f)
                        .minP(0.01f)
                        .penalties(new Penalties(1.1f, 0.2f, 0.1f))
                        .logitBias(bias);
        Map<List<Integer>, Integer> counts = new HashMap<>();
        Deque<GenerationStream> underWay = new ArrayDeque<>();
        for (int i = 0; i < TEXTS / N; i++) {
            SamplingParams seeded = params.seed(firstSeed + i).build();
            underWay.add(engine.generate(new GenerationRequest(Prompt.tokens(7, 8, 9), seeded)));
            if (underWay.size() > 3) {
                count(underWay.remove(), counts);
            }
        }
        for (GenerationStream stream : underWay) {
            count(stream, counts);
        }
        return counts;
    }

    private static void count(GenerationStream stream, Map<List<Integer>, Integer> counts)
            throws Exception {
        Answers answers = Answers.read(stream);
        assertNull(answers.failure);
        for (Answers.Answer answer : answers.answers) {
            assertEquals(TOKENS, answer.ids.size());
            counts.merge(answer.ids, 1, Integer::sum);
        }
    }

    /** Chi-square of two samples of one size, within df + 10 sqrt(2 df); rare texts in one bin. */
    private static void requireSameLaw(
            Map<List<Integer>, Integer> one, Map<List<Integer>, Integer> other) {
        Set<List<Integer>> all = new HashSet<>(one.keySet());
        all.addAll(other.keySet());
        double chi = 0;
        int bins = 0;
        double rareOfOne = 0;
        double rareOfOther = 0;
        for (List<Integer> text : all) {
            double a = one.getOrDefault(text, 0);
            double b = other.getOrDefault(text, 0);
            if (a + b < 10) {
                rareOfOne += a;
                rareOfOther += b;
            } else {
                chi += (a - b) * (a - b) / (a + b);
                bins++;
            }
        }
        double rare = rareOfOne + rareOfOther;
        chi += rare == 0 ? 0 : (rareOfOne - rareOfOther) * (rareOfOne - rareOfOther) / rare;
        int df = bins;
        assertTrue(df > 50, "too few bins: " + bins);
        double limit = df + 10 * Math.sqrt(2.0 * df);
        assertTrue(chi < limit, "chi=" + chi + " limit=" + limit);
    }

    @Test
    void noBlockIsLostWhereTreesAreCancelledAndThrownOut() throws Exception {
        TinyModel.in(folder);
        long seed = Long.getLong("cortado.seed", System.nanoTime());
        Random random = new Random(seed);
        long blockBytes = 2L * 2 * 2 * 2 * 64 * 16 * 4;
        EngineOptions options =
                TinyModel.options("cpu")
                        .maxNumSeqs(16)
                        .maxNumBatchedTokens(256)
                        .kvCacheBytes(24 * blockBytes)
                        .speculation(trees());
        try (Engine engine = Engine.open(folder, options)) {
            List<GenerationStream> open = new ArrayList<>();
            for (int i = 0; i < 400; i++) {
                SamplingParams params =
                        TinyModel.params(i, 1 + random.nextInt(60)).toBuilder()
                                .n(1 + random.nextInt(2))
                                .build();
                open.add(
                        engine.generate(
                                new GenerationRequest(
                                        Prompt.tokens(TinyModel.prompt(random.nextInt(9))),
                                        params)));
                if (open.size() > 20) {
                    GenerationStream stream = open.remove(random.nextInt(open.size()));
                    if (random.nextBoolean()) {
                        stream.cancel();
                    }
                    Answers answers = Answers.read(stream);
                    assertNull(answers.failure, () -> "re-run with -Dcortado.seed=" + seed);
                }
            }
            open.forEach(GenerationStream::close);
            EngineStats stats = engine.stats();
            assertTrue(stats.drafts().accepted() > 0, stats::toString);
            assertTrue(stats.preemptions() > 0, stats::toString);
            assertEquals(0, DemoEngine.blocksUsedInTheEnd(engine), "re-run with seed " + seed);
        }
    }
}
