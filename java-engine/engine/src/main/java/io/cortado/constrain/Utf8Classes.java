package io.cortado.constrain;

import java.util.ArrayList;
import java.util.List;

/** Sets of code points as regular languages of their UTF-8 bytes, exact. */
final class Utf8Classes {
    private static final int[] LAST_OF_LENGTH = {0x7F, 0x7FF, 0xFFFF, 0x10FFFF};

    private Utf8Classes() {}

    static Regex regex(Regexes regexes, CodePoints set) {
        ByteSet ascii = ByteSet.NONE;
        var parts = new ArrayList<Regex>();
        for (int range = 0; range < set.numRanges(); range++) {
            int first = set.first(range);
            for (int length = 1; length <= LAST_OF_LENGTH.length; length++) {
                int last = Math.min(set.last(range), LAST_OF_LENGTH[length - 1]);
                if (first > last) {
                    continue;
                }
                if (length == 1) {
                    ascii = ascii.or(ByteSet.range(first, last));
                } else {
                    parts.add(range(regexes, first, last, length - 1, length));
                }
                first = last + 1;
            }
        }
        parts.add(regexes.bytes(ascii));
        return regexes.or(parts);
    }

    /**
     * The bytes of the code points from {@code first} to {@code last}, which agree above the last
     * {@code numTail} continuation bytes' lead.
     */
    private static Regex range(Regexes regexes, int first, int last, int numTail, int length) {
        if (numTail == 0) {
            return regexes.bytes(ByteSet.range(unit(first, 0, length), unit(last, 0, length)));
        }
        int shift = 6 * numTail;
        int low = first >> shift;
        int high = last >> shift;
        int mask = (1 << shift) - 1;
        if (low == high) {
            Regex lead = regexes.bytes(ByteSet.of(unit(first, numTail, length)));
            return regexes.concat(lead, range(regexes, first, last, numTail - 1, length));
        }
        List<Regex> parts = new ArrayList<>(3);
        if ((first & mask) != 0) {
            parts.add(range(regexes, first, low << shift | mask, numTail, length));
            low++;
        }
        if ((last & mask) != mask) {
            parts.add(range(regexes, high << shift, last, numTail, length));
            high--;
        }
        if (low <= high) {
            int from = low << shift;
            int to = high << shift;
            Regex lead =
                    regexes.bytes(
                            ByteSet.range(unit(from, numTail, length), unit(to, numTail, length)));
            Regex tail = regexes.bytes(ByteSet.range(0x80, 0xBF));
            parts.add(regexes.concat(lead, regexes.repeat(tail, numTail, numTail)));
        }
        return regexes.or(parts);
    }

    /** The byte of a code point that has {@code numTail} continuation bytes after it. */
    private static int unit(int codePoint, int numTail, int length) {
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
