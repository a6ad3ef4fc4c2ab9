package io.cortado.constrain;

import java.util.List;
import java.util.stream.IntStream;

/**
 * Tokens of few, simple characters. Where a lexer state admits all strings of so many of them, and
 * no longer one, the mask is taken from a table and the trie not walked.
 */
final class Slice {
    /** Above it a slice has no table but for all its tokens. */
    private static final int MAX_TABLE = 30;

    private final CodePoints chars;
    private final int maxChars;
    private final TokenTrie trie;

    private final int lowAscii;
    private final int highAscii;

    /** By a number of characters from {@code minChars} on: the tokens of no more. */
    private final int[][] upTo;

    private final int minChars;

    /**
     * @param chars what each token consists of
     * @param ids of the tokens
     * @param bytes of all tokens by id
     * @param words of a row of the mask
     */
    Slice(CodePoints chars, List<Integer> ids, byte[][] bytes, int words) {
        this.chars = chars;
        trie = new TokenTrie(ids, bytes);
        lowAscii = IntStream.range(0, 128).filter(chars::contains).min().orElse(-1);
        highAscii = IntStream.range(0, 128).filter(chars::contains).max().orElse(-1);
        maxChars = ids.stream().mapToInt(id -> numChars(bytes[id])).max().orElse(0);
        int fewest = ids.stream().mapToInt(id -> numChars(bytes[id])).min().orElse(0);
        minChars = maxChars > MAX_TABLE ? maxChars : fewest;
        upTo = new int[maxChars - minChars + 1][words];
        for (int id : ids) {
            for (int n = Math.max(numChars(bytes[id]), minChars); n <= maxChars; n++) {
                upTo[n - minChars][id >> 5] |= 1 << id;
            }
        }
    }

    private static int numChars(byte[] utf8) {
        int count = 0;
        for (byte value : utf8) {
            count += (value & 0xC0) == 0x80 ? 0 : 1;
        }
        return count;
    }

    CodePoints chars() {
        return chars;
    }

    int maxChars() {
        return maxChars;
    }

    /** Two of its characters that are a byte each; -1 if there are none. */
    int lowAscii() {
        return lowAscii;
    }

    int highAscii() {
        return highAscii;
    }

    TokenTrie trie() {
        return trie;
    }

    /** Whether there is a table for so many characters. */
    boolean knows(int numChars) {
        return numChars >= maxChars || maxChars <= MAX_TABLE;
    }

    /** Adds the tokens of at most so many characters. */
    void orInto(int numChars, int[] bits) {
        int n = Math.min(numChars, maxChars);
        if (n < minChars) {
            return;
        }
        int[] tokens = upTo[n - minChars];
        for (int w = 0; w < bits.length; w++) {
            bits[w] |= tokens[w];
        }
    }

    Regex regex(Regexes regexes) {
        return regexes.repeat(regexes.codePoints(chars), 1, maxChars);
    }
}
