package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.Dry;
import io.cortado.api.Engine;
import io.cortado.api.EngineException;
import io.cortado.api.SamplingParams;
import io.cortado.api.Scoring;
import io.cortado.api.TokenRules;
import io.cortado.text.Segment;
import io.cortado.text.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Rules that are given as text, on the demo model. */
@Timeout(value = 120, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class TextRulesTest {
    private static final int OUTPUT = 24;

    private static Answers ask(Engine engine, SamplingParams params) throws Exception {
        Answers answers = DemoEngine.ask(engine, DemoEngine.goldens().getFirst().prompt(), params);
        assertNull(answers.failure);
        return answers;
    }

    private static SamplingParams.Builder greedy() {
        return SamplingParams.greedy(OUTPUT).toBuilder().ignoreEos(true);
    }

    private static TokenRules bad(String... words) {
        return TokenRules.NONE.badWords(List.of(words));
    }

    /** The free answer's own words, of one token and of several, one after the other. */
    @Test
    void neverWritesABadWord() throws Exception {
        try (Engine engine = DemoEngine.open(DemoEngine.options().maxModelLen(256))) {
            List<Integer> free = ask(engine, greedy().build()).ids();
            for (int length = 1; length <= 3; length++) {
                int[] ids = toArray(free.subList(2, 2 + length));
                String word = engine.detokenize(ids, false);
                List<Integer> kept = ask(engine, greedy().tokens(bad(word)).build()).ids();
                int[] banned = engine.tokenize(new io.cortado.api.Prompt.Text(word, false));
                assertEquals(
                        -1,
                        Collections.indexOfSubList(kept, Arrays.stream(banned).boxed().toList()),
                        word);
                if (Arrays.equals(ids, banned)) {
                    assertFalse(kept.equals(free), word);
                    assertEquals(free.subList(0, 1 + length), kept.subList(0, 1 + length));
                }
            }
        }
    }

    private static int[] toArray(List<Integer> ids) {
        return ids.stream().mapToInt(Integer::intValue).toArray();
    }

    @Test
    void readsBadWordsWithAndWithoutASpaceBefore() throws Exception {
        Tokenizer tokenizer = Tokenizer.open(DemoEngine.folder());
        BadWords words = BadWords.of(List.of(" the"), tokenizer, tokenizer.vocabSize());
        int[] bare = tokenizer.encode(List.of(Segment.user("the")), false);
        int[] spaced = tokenizer.encode(List.of(Segment.user(" the")), false);
        List<int[]> all = new ArrayList<>(List.of(words.sequences()));
        Arrays.stream(words.singles()).forEach(id -> all.add(new int[] {id}));
        assertTrue(all.stream().anyMatch(ids -> Arrays.equals(ids, bare)));
        assertTrue(all.stream().anyMatch(ids -> Arrays.equals(ids, spaced)));
        String longWord = "x ".repeat(128);
        EngineException e =
                assertThrows(
                        EngineException.class,
                        () ->
                                BadWords.of(
                                        Collections.nCopies(20, longWord),
                                        tokenizer,
                                        tokenizer.vocabSize()));
        assertTrue(String.valueOf(e.getMessage()).contains("at most 1024 tokens"), e.getMessage());
    }

    @Test
    void findsBreakersWithinTokensAndAcrossThem() throws Exception {
        Tokenizer tokenizer = Tokenizer.open(DemoEngine.folder());
        DryBreakers breakers = new DryBreakers(List.of("\n", "Q: who"), tokenizer);
        for (int id = 0; id < tokenizer.vocabSize(); id++) {
            boolean holds =
                    new String(tokenizer.tokenBytes(id), java.nio.charset.StandardCharsets.UTF_8)
                            .contains("\n");
            assertTrue(!holds || breakers.isBreaker(id), "id=" + id);
        }
        int[] text = tokenizer.encode(List.of(Segment.user("he said. Q: who")), false);
        assertTrue(breakers.endsAt(position -> text[position], text.length - 1));
        assertFalse(breakers.endsAt(position -> text[position], 0));
    }

    /** A strong penalty ends the loops that a small greedy model falls into. */
    @Test
    void breaksRepetitionsWithDry() throws Exception {
        try (Engine engine = DemoEngine.open(DemoEngine.options().maxModelLen(256))) {
            SamplingParams.Builder params = greedy().maxTokens(120);
            List<Integer> free = ask(engine, params.build()).ids();
            List<Integer> kept =
                    ask(
                                    engine,
                                    params.dry(Dry.OFF.multiplier(50).sequenceBreakers(List.of()))
                                            .build())
                            .ids();
            assertTrue(
                    longestRepetition(kept) <= 3
                            && longestRepetition(kept) <= longestRepetition(free),
                    longestRepetition(free) + " " + longestRepetition(kept));
            assertEquals(120, kept.size());
        }
    }

    private static int longestRepetition(List<Integer> ids) {
        int longest = 0;
        for (int a = 0; a < ids.size(); a++) {
            for (int b = a + 1; b < ids.size(); b++) {
                int same = 0;
                while (b + same < ids.size() && ids.get(a + same).equals(ids.get(b + same))) {
                    same++;
                }
                longest = Math.max(longest, same);
            }
        }
        return longest;
    }

    @Test
    void refusesWhatTheModelDoesNotHave() throws Exception {
        try (Engine engine = DemoEngine.open(DemoEngine.options().maxModelLen(256))) {
            int width = engine.model().vocabSize();
            for (var wrong :
                    Map.of(
                                    "logit_bias",
                                    greedy().logitBias(Map.of(width, 1f)),
                                    "allowed_token_ids",
                                    greedy().tokens(
                                                    TokenRules.NONE.allowedTokenIds(
                                                            List.of(width))),
                                    "stop_token_ids",
                                    greedy().stopTokenIds(List.of(width)),
                                    "logits_processors",
                                    greedy().logitsProcessors(List.of("nobody")))
                            .entrySet()) {
                EngineException e =
                        assertThrows(
                                EngineException.class, () -> ask(engine, wrong.getValue().build()));
                assertEquals(wrong.getKey(), e.param());
            }
        }
    }

    /** As long as a prompt may be: what is told stays within a bound. */
    @Test
    void boundsThePromptsLogprobs() throws Exception {
        try (Engine engine = DemoEngine.open(DemoEngine.options().maxModelLen(512))) {
            int[] prompt = IntStream.range(0, 300).map(i -> 40 + i % 60).toArray();
            Answers answers =
                    DemoEngine.ask(
                            engine,
                            prompt,
                            greedy().scoring(new Scoring(null, 2, Scoring.Mode.RAW)).build());
            assertNull(answers.failure);
            var scores = java.util.Objects.requireNonNull(answers.promptScores);
            assertEquals(300, scores.size());
            assertNull(scores.getFirst());
            for (int i = 1; i < 300; i++) {
                var score = java.util.Objects.requireNonNull(scores.get(i));
                assertEquals(prompt[i], score.id());
                assertEquals(2, score.top().size());
            }
        }
    }
}
