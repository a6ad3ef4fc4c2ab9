package io.cortado.constrain;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.BiFunction;

/**
 * A random output of a grammar that a fuzzer made, and what must hold at each of its tokens: masks
 * agree with what is accepted, none is a dead end as each byte is a token, and what is taken back
 * leaves no trace. Whatever the grammar costs is within {@link #LIMITS}, or refused.
 */
public final class MaskWalk {
    /** Small, so that a step of too much work ends soon. */
    public static final GrammarLimits LIMITS =
            new GrammarLimits(1 << 16, 100_000, 100_000, 50_000, 2_000, 1 << 25, 1 << 20);

    private static final int END = 256;
    private static final List<String> TEXTS =
            List.of(
                    "ab", "aaa", "\",\"", "\": ", "{\"", "}]", "123", "é", "é\"", "  ", "<f",
                    ">\n");
    private static final List<String> CONTROLS = List.of("<|call|>", "[END]");

    /** Each byte, an end, some texts, part of a character, a twin, control tokens and padding. */
    public static final TokenTable VOCABULARY = vocabulary();

    private static final int MAX_TOKENS = 60;
    private static final int NUM_TRIED = 6;
    private static final int NOT_FOUND = -1;

    private final CompiledGrammar grammar;
    private final Random random;
    private final Matcher matcher;
    private final List<Integer> tokens = new ArrayList<>();
    private final List<int[]> masks = new ArrayList<>();

    private MaskWalk(CompiledGrammar grammar, long seed) {
        this.grammar = grammar;
        random = new Random(seed);
        matcher = grammar.matcher();
    }

    private static TokenTable vocabulary() {
        List<byte[]> bytes = new ArrayList<>();
        for (int value = 0; value < 256; value++) {
            bytes.add(new byte[] {(byte) value});
        }
        bytes.add(new byte[0]);
        TEXTS.forEach(text -> bytes.add(text.getBytes(StandardCharsets.UTF_8)));
        bytes.add(new byte[] {(byte) 0x9F, (byte) 0x98});
        bytes.add("ab".getBytes(StandardCharsets.UTF_8));
        int first = bytes.size();
        CONTROLS.forEach(unused -> bytes.add(new byte[0]));
        return new TokenTable(
                bytes.toArray(new byte[0][]),
                Map.of(CONTROLS.get(0), first, CONTROLS.get(1), first + 1),
                bytes.size() + 5,
                END);
    }

    /**
     * Compiles bytes as a grammar and walks it, or takes its refusal.
     *
     * @param compiler of the bytes as UTF-8
     */
    public static void checkOrRefuse(
            byte[] input, BiFunction<String, TokenTable, CompiledGrammar> compiler) {
        CompiledGrammar grammar;
        try {
            grammar = compiler.apply(new String(input, StandardCharsets.UTF_8), VOCABULARY);
        } catch (GrammarException refused) {
            assertFalse(String.valueOf(refused.getMessage()).isBlank());
            return;
        }
        new MaskWalk(grammar, Arrays.hashCode(input)).walk();
    }

    private void walk() {
        for (int i = 0; i < MAX_TOKENS && !matcher.isEnded(); i++) {
            int before = matcher.numTokens();
            try {
                step();
            } catch (GrammarException limit) {
                assertEquals(GrammarException.Reason.LIMIT, limit.reason());
                assertEquals(before, matcher.numTokens(), "a failed step took a token");
                return;
            }
        }
        replay();
    }

    private void step() {
        int[] mask = mask(matcher);
        checkWhole(mask);
        for (int i = 0; i < NUM_TRIED; i++) {
            tryAndTakeBack(mask, random.nextInt(VOCABULARY.width()));
        }
        if (random.nextInt(8) == 0) {
            checkForced(mask);
        }
        int token = allowed(mask);
        assertTrue(token != NOT_FOUND, "a dead end after " + tokens);
        tryAndTakeBack(mask, token);
        masks.add(mask);
        tokens.add(token);
        assertTrue(matcher.accept(token), "refused once it was taken back");
        if (random.nextInt(8) == 0) {
            takeBackSome();
        }
    }

    private static int[] mask(Matcher matcher) {
        var mask = new int[VOCABULARY.words()];
        Arrays.fill(mask, 0x5A5A_5A5A);
        matcher.allowed(mask);
        return mask;
    }

    private void checkWhole(int[] mask) {
        assertEquals(matcher.isAccepting(), Masks.has(mask, END), "the end after " + tokens);
        assertFalse(matcher.isDeadEnd(), "a dead end after " + tokens);
        for (int id = VOCABULARY.size(); id < VOCABULARY.words() * 32; id++) {
            assertFalse(Masks.has(mask, id), "padding is allowed after " + tokens);
        }
    }

    private void tryAndTakeBack(int[] mask, int token) {
        boolean isTaken = matcher.accept(token);
        assertEquals(Masks.has(mask, token), isTaken, () -> "token " + token + " after " + tokens);
        if (isTaken) {
            matcher.rollback(1);
        }
        assertArrayEquals(mask, mask(matcher), () -> "the mask changed after " + tokens);
    }

    /** Whatever is allowed begins with the forced bytes, or is their beginning. */
    private void checkForced(int[] mask) {
        byte[] forced = matcher.forcedBytes();
        if (forced.length == 0) {
            return;
        }
        for (int id = 0; id < VOCABULARY.size(); id++) {
            byte[] bytes = VOCABULARY.bytes(id);
            if (Masks.has(mask, id)) {
                int common = Math.min(bytes.length, forced.length);
                assertTrue(common > 0, "token " + id + " is not of the forced bytes");
                assertTrue(Arrays.equals(bytes, 0, common, forced, 0, common), "token " + id);
            }
        }
        Matcher copy = matcher.copy();
        for (byte value : forced) {
            assertTrue(copy.accept(value & 0xFF), () -> "a forced byte after " + tokens);
        }
    }

    private int allowed(int[] mask) {
        int from = random.nextInt(3) == 0 ? END : random.nextInt(VOCABULARY.size());
        for (int i = 0; i < VOCABULARY.size(); i++) {
            int id = (from + i) % VOCABULARY.size();
            if (Masks.has(mask, id)) {
                return id;
            }
        }
        return NOT_FOUND;
    }

    private void takeBackSome() {
        int count = 1 + random.nextInt(tokens.size());
        matcher.rollback(count);
        int left = tokens.size() - count;
        assertArrayEquals(masks.get(left), mask(matcher), "the mask after a rollback");
        tokens.subList(left, tokens.size()).clear();
        masks.subList(left, masks.size()).clear();
    }

    /** Another output of the same tokens has the same masks, though all are known by then. */
    private void replay() {
        Matcher again = grammar.matcher();
        for (int i = 0; i < tokens.size(); i++) {
            assertArrayEquals(masks.get(i), mask(again), "the mask of a second output");
            assertTrue(again.accept(tokens.get(i)));
        }
        assertEquals(matcher.isEnded(), again.isEnded());
    }
}
