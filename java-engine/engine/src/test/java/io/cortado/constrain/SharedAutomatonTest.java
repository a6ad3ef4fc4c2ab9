package io.cortado.constrain;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;

/** Requests that share an automaton see what each would see alone. */
class SharedAutomatonTest {
    private static final String[] GRAMMARS = {
        "root ::= \"[\" (root (\",\" root)*)? \"]\" | [0-9]+",
        "root ::= s | \"{\" (s \":\" root (\",\" s \":\" root)*)? \"}\"\n"
                + "s ::= \"\\\"\" [^\"]* \"\\\"\"",
        "root ::= e\ne ::= e [+*] e | \"(\" e \")\" | [a-z]+",
        "root ::= ([a-z]{1,20} \" \")* [.]",
        "root ::= \"a\" root \"b\" | \"\"",
        "root ::= root root | \"()\" | \"(\" root \")\"",
        "root ::= ([0-9]{2,4} [-/])+ \"end\"",
        "root ::= (!<[3]> <[4]>)* [a-f]+"
    };
    private static final String ENDLESS = "root ::= ([a-z]{1,300} [0-9]+ \" \")*";
    private static final int NUM_THREADS = 64;
    private static final int STEPS = 30;

    private final TokenTable vocabulary =
            Masks.bytesAnd(
                    "],", "[[", "}}", "\":", "ab", "()", "))", "12", "lo ", "hel", "[1", "a+");

    @Test
    void givesManyThreadsTheMasksOfOne() throws Exception {
        List<CompiledGrammar> shared = new ArrayList<>();
        for (String grammar : GRAMMARS) {
            shared.add(compiled(grammar, GrammarLimits.DEFAULT));
        }
        var start = new CountDownLatch(1);
        try (ExecutorService threads = Executors.newFixedThreadPool(NUM_THREADS)) {
            List<Future<List<int[]>>> results = new ArrayList<>();
            for (int i = 0; i < NUM_THREADS; i++) {
                int number = i;
                results.add(
                        threads.submit(() -> {
                            start.await();
                            return walk(shared.get(number % GRAMMARS.length), number);
                        }));
            }
            start.countDown();
            for (int i = 0; i < NUM_THREADS; i++) {
                CompiledGrammar alone =
                        compiled(GRAMMARS[i % GRAMMARS.length], GrammarLimits.DEFAULT);
                assertSame(walk(alone, i), results.get(i).get());
            }
        }
    }

    @Test
    void startsAfreshAboveItsLimitWithoutAnotherMask() {
        var small = new GrammarLimits(1 << 16, 100_000, 1_000_000, 400_000, 2_000, 400_000, 8_000);
        for (int i = 0; i < GRAMMARS.length; i++) {
            CompiledGrammar bounded = compiled(GRAMMARS[i], small);
            for (int walk = 0; walk < 20; walk++) {
                CompiledGrammar free = compiled(GRAMMARS[i], GrammarLimits.DEFAULT);
                assertSame(walk(free, walk), walk(bounded, walk));
            }
            assertTrue(bounded.sizeBytes() < 800_000, "bytes=" + bounded.sizeBytes());
        }
    }

    /** Long outputs, so that generations follow while an output goes through its tokens again. */
    @Test
    void anOutputGoesOnWhileItMovesToANewGeneration() {
        var small = new GrammarLimits(1 << 16, 100_000, 1_000_000, 400_000, 2_000, 150_000, 8_000);
        for (String text : new String[] {ENDLESS, GRAMMARS[3], GRAMMARS[6], GRAMMARS[7]}) {
            Matcher free = compiled(text, GrammarLimits.DEFAULT).matcher();
            CompiledGrammar grammar = compiled(text, small);
            Matcher bounded = grammar.matcher();
            var random = new Random(7);
            for (int step = 0; step < 600; step++) {
                int[] mask = Masks.mask(free, vocabulary);
                assertArrayEquals(mask, Masks.mask(bounded, vocabulary), text + " step=" + step);
                int token = random.nextInt(vocabulary.size());
                for (int i = 0; i < vocabulary.size() && !goesOn(mask, token); i++) {
                    token = (token + 1) % vocabulary.size();
                }
                if (!goesOn(mask, token) || random.nextInt(10) == 0) {
                    int count = random.nextInt(Math.min(15, free.numTokens() + 1));
                    free.rollback(count);
                    bounded.rollback(count);
                    continue;
                }
                assertTrue(free.accept(token));
                assertTrue(bounded.accept(token));
                if (step % 50 == 0) { // others make it too large as well
                    walk(grammar, step);
                }
            }
            assertTrue(grammar.sizeBytes() < 400_000, "bytes=" + grammar.sizeBytes());
        }
    }

    private static boolean goesOn(int[] mask, int token) {
        return token != Masks.END && Masks.has(mask, token);
    }

    private CompiledGrammar compiled(String grammar, GrammarLimits limits) {
        return Grammars.gbnf(grammar, "root", vocabulary, limits);
    }

    /** The masks of a random walk, by its number. */
    private List<int[]> walk(CompiledGrammar grammar, int number) {
        var random = new Random(number);
        Matcher matcher = grammar.matcher();
        List<int[]> masks = new ArrayList<>();
        for (int step = 0; step < STEPS; step++) {
            int[] mask = Masks.mask(matcher, vocabulary);
            masks.add(mask);
            List<Integer> allowed = new ArrayList<>();
            for (int id = 1; id < vocabulary.size(); id++) {
                if (Masks.has(mask, id)) {
                    allowed.add(id);
                }
            }
            if (allowed.isEmpty()) {
                break;
            }
            assertTrue(matcher.accept(allowed.get(random.nextInt(allowed.size()))));
        }
        return masks;
    }

    private static void assertSame(List<int[]> expected, List<int[]> actual) {
        assertArrayEquals(expected.toArray(new int[0][]), actual.toArray(new int[0][]));
    }
}
