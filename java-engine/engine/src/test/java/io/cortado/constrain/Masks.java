package io.cortado.constrain;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Small vocabularies and their masks, for tests. */
final class Masks {
    static final int END = 0;
    private static final int FIRST_BYTE = 1;
    private static final int NUM_BYTES = 256;

    private Masks() {}

    /** Id 0 ends, ids 1 to 256 are the single bytes, then these texts. */
    static TokenTable bytesAnd(String... texts) {
        return bytesAnd(Map.of(), texts);
    }

    /** As above; control tokens have no bytes and come last. */
    static TokenTable bytesAnd(Map<String, Integer> controls, String... texts) {
        List<byte[]> bytes = new ArrayList<>();
        bytes.add(new byte[0]);
        for (int value = 0; value < NUM_BYTES; value++) {
            bytes.add(new byte[] {(byte) value});
        }
        for (String text : texts) {
            bytes.add(text.getBytes(StandardCharsets.UTF_8));
        }
        for (int i = 0; i < controls.size(); i++) {
            bytes.add(new byte[0]);
        }
        return new TokenTable(bytes.toArray(new byte[0][]), controls, bytes.size() + 5, END);
    }

    static int byteToken(int value) {
        return FIRST_BYTE + (value & 0xFF);
    }

    static int textToken(int index) {
        return FIRST_BYTE + NUM_BYTES + index;
    }

    /** Accepts a text byte by byte; whether each was in the mask and accepted. */
    static boolean accepts(Matcher matcher, String text) {
        for (byte value : text.getBytes(StandardCharsets.UTF_8)) {
            boolean isAllowed = isAllowed(matcher, byteToken(value));
            if (isAllowed != matcher.accept(byteToken(value))) {
                throw new AssertionError("mask and matcher disagree after '" + text + "'");
            }
            if (!isAllowed) {
                return false;
            }
        }
        return true;
    }

    static boolean matches(CompiledGrammar grammar, String text) {
        Matcher matcher = grammar.matcher();
        return accepts(matcher, text) && isAllowed(matcher, END);
    }

    static int[] mask(Matcher matcher, TokenTable vocabulary) {
        var mask = new int[vocabulary.words()];
        matcher.allowed(mask);
        return mask;
    }

    static boolean isAllowed(Matcher matcher, int token) {
        return has(mask(matcher, matcher.vocabulary()), token);
    }

    static boolean has(int[] mask, int token) {
        return (mask[token >> 5] >>> token & 1) != 0;
    }
}
