package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.Engine;
import io.cortado.api.EngineOptions;
import io.cortado.api.GenerationRequest;
import io.cortado.api.GenerationStream;
import io.cortado.api.Prompt;
import io.cortado.api.SamplingParams;
import io.cortado.api.TokenLogprob;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Nothing of one request shows in another's tokens: victims get the same bits alone and amid
 * attackers that use every option, come, go and are thrown out.
 */
@Timeout(value = 600, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class BatchHygieneTest {
    private static final int ROUNDS = Integer.getInteger("cortado.hygiene.rounds", 1000);
    private static final int ATTACKERS = 64;
    private static final int OUTPUT = 4;

    /** Fewer than all attackers need at once: their prompts are about to need a second one. */
    private static final int BLOCKS = 40;

    private static final int VICTIMS = 4;

    @TempDir Path folder;

    private final ReferenceRules reference = new ReferenceRules();

    /** The bits of a token. */
    private record Token(int id, int logprobBits, int rank) {}

    private EngineOptions options() {
        return TinyModel.options("cpu")
                .maxModelLen(64)
                .maxNumSeqs(ATTACKERS)
                .maxNumBatchedTokens(512)
                .logitsProcessors(List.of(reference));
    }

    /** Greedy, seeded, and each with counts of its own. */
    private static GenerationRequest victim(int number) {
        SamplingParams.Builder params =
                SamplingParams.builder()
                        .temperature(number % 2)
                        .seed(77L)
                        .logprobs(0)
                        .maxTokens(6)
                        .ignoreEos(true);
        if (number >= 2) {
            params.penalties(new io.cortado.api.Penalties(1.2f, 0.4f, 0.3f)).topK(40);
        }
        return new GenerationRequest(Prompt.tokens(Requests.prompt(20)), params.build());
    }

    private SamplingParams attack(Random random) {
        SamplingParams edited = SamplingRulesTest.edited(random);
        SamplingParams shaped =
                random.nextBoolean() ? SamplingRulesTest.shaped(random, edited) : edited;
        SamplingParams ready =
                shaped.toBuilder()
                        .maxTokens(1 + random.nextInt(OUTPUT))
                        .logprobs(random.nextInt(8) == 0 ? (Integer) 3 : null)
                        .build();
        return random.nextInt(16) == 0 ? reference.of(ready) : ready;
    }

    private static List<Token> tokens(GenerationStream stream) throws Exception {
        Answers answers = Answers.read(stream);
        assertNull(answers.failure);
        List<Token> tokens = new ArrayList<>();
        for (TokenLogprob token : answers.answers.getFirst().logprobs) {
            tokens.add(
                    new Token(token.id(), Float.floatToRawIntBits(token.logprob()), token.rank()));
        }
        return tokens;
    }

    @Test
    void victimsGetTheirOwnBitsAmidAttackers() throws Exception {
        long seed = Long.getLong("cortado.seed", System.nanoTime());
        Random random = new Random(seed);
        List<List<Token>> alone = new ArrayList<>();
        try (Engine engine = Engine.open(TinyModel.in(folder), options())) {
            for (int i = 0; i < VICTIMS; i++) {
                alone.add(tokens(engine.generate(victim(i))));
            }
        }
        long blockBytes = 2L * 2 * 2 * 64 * 16 * 4;
        EngineOptions tight = options().kvCacheBytes(BLOCKS * blockBytes);
        try (Engine engine = Engine.open(folder, tight)) {
            for (int round = 0; round < ROUNDS; round++) {
                String what = "re-run with -Dcortado.seed=" + seed + " round=" + round;
                round(engine, random, alone, what);
            }
            assertTrue(engine.stats().preemptions() > 0, () -> "" + engine.stats());
            assertEquals(0, DemoEngine.blocksUsedInTheEnd(engine));
        }
    }

    private void round(Engine engine, Random random, List<List<Token>> alone, String what)
            throws Exception {
        List<GenerationStream> attackers = new ArrayList<>();
        int place = random.nextInt(ATTACKERS);
        int number = random.nextInt(VICTIMS);
        GenerationStream victim = null;
        for (int i = 0; i < ATTACKERS; i++) {
            if (i == place) {
                victim = engine.generate(victim(number));
            }
            int[] prompt = Requests.prompt(13 + random.nextInt(4));
            prompt[0] = random.nextInt(TinyModel.VOCAB);
            attackers.add(
                    engine.generate(new GenerationRequest(Prompt.tokens(prompt), attack(random))));
            if (random.nextInt(4) == 0) {
                attackers.get(random.nextInt(attackers.size())).cancel();
            }
        }
        assertEquals(alone.get(number), tokens(java.util.Objects.requireNonNull(victim)), what);
        attackers.forEach(GenerationStream::close);
    }
}
