package io.cortado.constrain;

import java.util.Arrays;

/**
 * A set of Unicode scalar values: sorted, disjoint ranges, surrogates left out because UTF-8 cannot
 * spell them.
 */
public final class CodePoints {
    private static final int MAX = 0x10FFFF;
    private static final int FIRST_SURROGATE = 0xD800;
    private static final int LAST_SURROGATE = 0xDFFF;

    public static final CodePoints NONE = new CodePoints(new int[0]);
    public static final CodePoints ANY = range(0, MAX);

    /** Pairs of first and last. */
    private final int[] ranges;

    private CodePoints(int[] ranges) {
        this.ranges = ranges;
    }

    public static CodePoints of(int codePoint) {
        return range(codePoint, codePoint);
    }

    /** From {@code first} to {@code last}, both included. */
    public static CodePoints range(int first, int last) {
        if (first < 0 || last > MAX || first > last) {
            throw new IllegalArgumentException(
                    "code points must be 0 <= first <= last <= 0x10FFFF: first="
                            + first
                            + " last="
                            + last);
        }
        return ofRanges(first, last);
    }

    /** Pairs of first and last, in any order, overlapping or not. */
    public static CodePoints ofRanges(int... pairs) {
        int numRanges = pairs.length / 2;
        var sorted = new long[numRanges];
        for (int i = 0; i < numRanges; i++) {
            sorted[i] = (long) pairs[2 * i] << 32 | pairs[2 * i + 1];
        }
        Arrays.sort(sorted);
        var merged = new int[2 * numRanges + 4];
        int used = 0;
        for (long range : sorted) {
            int first = (int) (range >> 32);
            int last = (int) range;
            if (used > 0 && first <= merged[used - 1] + 1) {
                merged[used - 1] = Math.max(merged[used - 1], last);
            } else {
                merged[used++] = first;
                merged[used++] = last;
            }
        }
        return new CodePoints(withoutSurrogates(merged, used));
    }

    private static int[] withoutSurrogates(int[] merged, int used) {
        var kept = new int[used + 2];
        int n = 0;
        for (int i = 0; i < used; i += 2) {
            int first = merged[i];
            int last = merged[i + 1];
            if (first < FIRST_SURROGATE) {
                kept[n++] = first;
                kept[n++] = Math.min(last, FIRST_SURROGATE - 1);
            }
            if (last > LAST_SURROGATE) {
                kept[n++] = Math.max(first, LAST_SURROGATE + 1);
                kept[n++] = last;
            }
        }
        return Arrays.copyOf(kept, n);
    }

    public CodePoints or(CodePoints other) {
        int[] both = Arrays.copyOf(ranges, ranges.length + other.ranges.length);
        System.arraycopy(other.ranges, 0, both, ranges.length, other.ranges.length);
        return ofRanges(both);
    }

    public CodePoints not() {
        var gaps = new int[ranges.length + 2];
        int n = 0;
        int next = 0;
        for (int i = 0; i < ranges.length; i += 2) {
            if (ranges[i] > next) {
                gaps[n++] = next;
                gaps[n++] = ranges[i] - 1;
            }
            next = ranges[i + 1] + 1;
        }
        if (next <= MAX) {
            gaps[n++] = next;
            gaps[n++] = MAX;
        }
        return ofRanges(Arrays.copyOf(gaps, n));
    }

    public CodePoints and(CodePoints other) {
        return not().or(other.not()).not();
    }

    public CodePoints minus(CodePoints other) {
        return and(other.not());
    }

    public boolean isEmpty() {
        return ranges.length == 0;
    }

    public boolean contains(int codePoint) {
        for (int i = 0; i < ranges.length; i += 2) {
            if (codePoint >= ranges[i] && codePoint <= ranges[i + 1]) {
                return true;
            }
        }
        return false;
    }

    /** Whether it is one code point. */
    boolean isSingle() {
        return ranges.length == 2 && ranges[0] == ranges[1];
    }

    public int numRanges() {
        return ranges.length / 2;
    }

    public int first(int range) {
        return ranges[2 * range];
    }

    public int last(int range) {
        return ranges[2 * range + 1];
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof CodePoints that && Arrays.equals(ranges, that.ranges);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(ranges);
    }
}
