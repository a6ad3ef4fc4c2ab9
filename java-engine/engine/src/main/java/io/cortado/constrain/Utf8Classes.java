package io.cortado.constrain;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Sets of code points as regular languages of their UTF-8 bytes, exact. Factored by leading bytes,
 * so that a class of hundreds of ranges has few alternatives at each byte.
 */
final class Utf8Classes {
    private static final int[] FIRST_OF_LENGTH = {0, 0x80, 0x800, 0x10000};
    private static final int[] LAST_OF_LENGTH = {0x7F, 0x7FF, 0xFFFF, 0x10FFFF};
    private static final ByteSet CONTINUATION = ByteSet.range(0x80, 0xBF);

    private final Regexes regexes;
    private final int length;

    private Utf8Classes(Regexes regexes, int length) {
        this.regexes = regexes;
        this.length = length;
    }

    static Regex regex(Regexes regexes, CodePoints set) {
        var pairs = new int[2 * set.numRanges()];
        for (int range = 0; range < set.numRanges(); range++) {
            pairs[2 * range] = set.first(range);
            pairs[2 * range + 1] = set.last(range);
        }
        var parts = new ArrayList<Regex>();
        for (int length = 1; length <= 4; length++) {
            int[] within = clipped(pairs, FIRST_OF_LENGTH[length - 1], LAST_OF_LENGTH[length - 1]);
            parts.add(new Utf8Classes(regexes, length).block(within, length - 1));
        }
        return regexes.or(parts);
    }

    /** Ranges that agree above the last {@code numTail} continuation bytes and the one before. */
    private Regex block(int[] pairs, int numTail) {
        if (pairs.length == 0) {
            return Regex.NOTHING;
        }
        int shift = 6 * numTail;
        int lowest = pairs[0] >> shift;
        int highest = pairs[pairs.length - 1] >> shift;
        Map<Regex, ByteSet> leads = new LinkedHashMap<>();
        for (int lead = lowest; lead <= highest; lead++) {
            int first = lead << shift;
            int last = first | (1 << shift) - 1;
            int[] within = clipped(pairs, first, last);
            if (within.length > 0) {
                Regex tail = tail(within, first, last, numTail);
                leads.merge(tail, ByteSet.of(unit(first, numTail)), ByteSet::or);
            }
        }
        List<Regex> parts = new ArrayList<>(leads.size());
        leads.forEach((tail, set) -> parts.add(regexes.concat(regexes.bytes(set), tail)));
        return regexes.or(parts);
    }

    private Regex tail(int[] pairs, int first, int last, int numTail) {
        if (numTail == 0) {
            return Regex.EMPTY;
        }
        boolean isFull = pairs.length == 2 && pairs[0] == first && pairs[1] == last;
        return isFull
                ? regexes.repeat(regexes.bytes(CONTINUATION), numTail, numTail)
                : block(pairs, numTail - 1);
    }

    static int[] clipped(int[] pairs, int first, int last) {
        int from = 0;
        while (from < pairs.length && pairs[from + 1] < first) {
            from += 2;
        }
        int to = from;
        while (to < pairs.length && pairs[to] <= last) {
            to += 2;
        }
        int[] clipped = Arrays.copyOfRange(pairs, from, to);
        if (clipped.length > 0) {
            clipped[0] = Math.max(clipped[0], first);
            clipped[clipped.length - 1] = Math.min(clipped[clipped.length - 1], last);
        }
        return clipped;
    }

    /** The byte of a code point that has {@code numTail} continuation bytes after it. */
    private int unit(int codePoint, int numTail) {
        int bits = codePoint >> 6 * numTail;
        if (numTail < length - 1) {
            return 0x80 | bits & 0x3F;
        }
        return switch (length) {
            case 1 -> bits;
            case 2 -> 0xC0 | bits;
            case 3 -> 0xE0 | bits;
            default -> 0xF0 | bits;
        };
    }
}
