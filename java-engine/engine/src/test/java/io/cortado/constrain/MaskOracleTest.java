package io.cortado.constrain;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/** A token is allowed if and only if some completion exists: against languages as sets. */
class MaskOracleTest {
    private static final int NUM_REGEXES = 7_000;
    private static final int NUM_GRAMMARS = 3_000;

    /** Strings up to here are listed; outputs are walked to half, so that completions are seen. */
    private static final int REGEX_LENGTH = 8;

    private static final int GRAMMAR_LENGTH = 7;

    private static final int WALK = 4;

    private static final int MAX_SEARCH = 2_000;

    private int maxLength;

    private Fuel fuel = new Fuel(0);

    @Test
    void allowsExactlyWhatARegexCanComplete() {
        run(NUM_REGEXES, 0);
    }

    @Test
    void allowsExactlyWhatAGrammarCanComplete() {
        run(NUM_GRAMMARS, 3);
    }

    private void run(int numCases, int maxRules) {
        long seed = Long.getLong("cortado.seed", System.nanoTime());
        int judged = 0;
        for (int i = 0; i < numCases; i++) {
            var random = new Random(seed + i);
            try {
                judged += judge(random, maxRules) ? 1 : 0;
            } catch (RuntimeException | AssertionError e) {
                throw new AssertionError(
                        "re-run with -Dcortado.seed=" + (seed + i) + ": " + e.getMessage(), e);
            }
        }
        assertTrue(judged > numCases / 2, "most cases have an output: judged=" + judged);
    }

    /** Whether the language has a string at all within the bound. */
    private boolean judge(Random random, int maxRules) {
        var made = new RandomGrammars(random);
        Syntax grammar =
                maxRules == 0
                        ? new Syntax.Lexeme(made.regex(3))
                        : made.grammar(1 + random.nextInt(maxRules));
        fuel = made.regexes.fuel();
        maxLength = maxRules == 0 ? REGEX_LENGTH : GRAMMAR_LENGTH;
        Set<String> language =
                new TreeSet<>(
                        new SimpleLanguage(RandomGrammars.LETTERS, maxLength)
                                .of(grammar, made.rules));
        TokenTable vocabulary = made.vocabulary();
        RuleState root;
        try {
            root = Syntax.start(grammar, made.regexes);
        } catch (GrammarException e) {
            assertEquals(GrammarException.Reason.UNSATISFIABLE, e.reason());
            assertTrue(language.isEmpty(), "nothing matches: " + language);
            return false;
        }
        Matcher matcher =
                CompiledGrammar.of(root, made.regexes, GrammarLimits.DEFAULT, vocabulary).matcher();
        walk(random, matcher, language, vocabulary);
        return !language.isEmpty();
    }

    private void walk(Random random, Matcher matcher, Set<String> language, TokenTable vocabulary) {
        String output = "";
        var mask = new int[vocabulary.words()];
        while (output.length() <= WALK) {
            matcher.allowed(mask);
            assertEquals(language.contains(output), matcher.isAccepting(), "complete: " + output);
            List<Integer> allowed = new ArrayList<>();
            for (int id = 0; id < vocabulary.width(); id++) {
                boolean isAllowed = (mask[id >> 5] >>> id & 1) != 0;
                if (id >= vocabulary.size() || id == RandomGrammars.END) {
                    boolean expected = id == RandomGrammars.END && language.contains(output);
                    assertEquals(expected, isAllowed, "end or padding: id=" + id);
                    continue;
                }
                String text = new String(vocabulary.bytes(id), StandardCharsets.ISO_8859_1);
                boolean isListed =
                        !text.isEmpty() && SimpleLanguage.hasPrefix(language, output + text);
                if (isListed || text.isEmpty()) {
                    assertEquals(isListed, isAllowed, "'" + output + "' + '" + text + "'");
                }
                assertEquals(isAllowed, matcher.accept(id), "mask and accept agree: id=" + id);
                if (isAllowed) {
                    if (!isListed) {
                        completesPastTheBound(matcher, output + text, language);
                    }
                    matcher.rollback(1);
                    allowed.add(id);
                }
            }
            if (allowed.isEmpty()) {
                assertTrue(language.contains(output), "a dead end: '" + output + "'");
                return;
            }
            int next = allowed.get(random.nextInt(allowed.size()));
            assertTrue(matcher.accept(next));
            output += new String(vocabulary.bytes(next), StandardCharsets.ISO_8859_1);
        }
    }

    /** What is allowed and not listed must lead to an end, and only to one past the bound. */
    private void completesPastTheBound(Matcher matcher, String output, Set<String> language) {
        Set<Config> seen = new HashSet<>(Set.of(matcher.config()));
        List<Config> reached = List.of(matcher.config());
        for (int length = output.length(); !reached.isEmpty(); length++) {
            for (Config config : reached) {
                if (config.isAccepting) {
                    assertTrue(length > maxLength, "'" + output + "' is allowed: " + language);
                    return;
                }
            }
            if (seen.size() > MAX_SEARCH) {
                return;
            }
            List<Config> next = new ArrayList<>();
            for (Config config : reached) {
                for (char letter : RandomGrammars.LETTERS.toCharArray()) {
                    fuel.refill(GrammarLimits.DEFAULT.stepFuel()); // each is a step
                    Config after = config.space.step(config, letter);
                    if (!after.isDead() && seen.add(after)) {
                        next.add(after);
                    }
                }
            }
            reached = next;
        }
        throw new AssertionError("'" + output + "' is allowed and cannot end: " + language);
    }
}
