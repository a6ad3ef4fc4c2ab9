package io.cortado.text;

import java.util.Arrays;
import java.util.function.IntPredicate;

/**
 * A set of code points as sorted ranges: {@code bounds[2i]} inclusive to {@code bounds[2i+1]}
 * exclusive.
 */
final class CodePointSet {
    static final int END = Character.MAX_CODE_POINT + 1;
    private static final int FIRST_EMPTY_PLANE = 0x4_0000;
    private static final int AFTER_EMPTY_PLANES = 0xE_0000;
    static final CodePointSet NONE = new CodePointSet(new int[0]);
    static final CodePointSet ALL = new CodePointSet(new int[] {0, END});

    private final int[] bounds;

    private CodePointSet(int[] bounds) {
        this.bounds = bounds;
    }

    static CodePointSet of(int codePoint) {
        return range(codePoint, codePoint);
    }

    /** Both ends belong to it. */
    static CodePointSet range(int first, int last) {
        return new CodePointSet(new int[] {first, last + 1});
    }

    static CodePointSet ofChars(String chars) {
        CodePointSet set = NONE;
        for (int c : chars.codePoints().toArray()) {
            set = set.union(of(c));
        }
        return set;
    }

    /** The code point after {@code c} that may be of another kind: planes 4 to 13 are all alike. */
    static int next(int c) {
        return c == FIRST_EMPTY_PLANE ? AFTER_EMPTY_PLANES : c + 1;
    }

    /** Asks about every code point there is, of those in planes without characters about one. */
    static CodePointSet where(IntPredicate isMember) {
        var bounds = new IntList();
        boolean inside = false;
        for (int c = 0; c < END; c = next(c)) {
            if (isMember.test(c) != inside) {
                bounds.add(c);
                inside = !inside;
            }
        }
        if (inside) {
            bounds.add(END);
        }
        return new CodePointSet(bounds.toArray());
    }

    /** The set with the given bounds, which alternate between first member and first non-member. */
    static CodePointSet ofBounds(int[] bounds) {
        return new CodePointSet(bounds);
    }

    boolean isEmpty() {
        return bounds.length == 0;
    }

    boolean contains(int codePoint) {
        int found = Arrays.binarySearch(bounds, codePoint);
        return found >= 0 ? (found & 1) == 0 : (-found - 1 & 1) == 1;
    }

    CodePointSet complement() {
        boolean fromZero = bounds.length > 0 && bounds[0] == 0;
        boolean toEnd = bounds.length > 0 && bounds[bounds.length - 1] == END;
        var flipped = new IntList();
        if (!fromZero) {
            flipped.add(0);
        }
        for (int i = fromZero ? 1 : 0; i < bounds.length - (toEnd ? 1 : 0); i++) {
            flipped.add(bounds[i]);
        }
        if (!toEnd) {
            flipped.add(END);
        }
        return new CodePointSet(flipped.toArray());
    }

    CodePointSet union(CodePointSet other) {
        return combine(other, 1);
    }

    CodePointSet intersect(CodePointSet other) {
        return combine(other, 2);
    }

    CodePointSet minus(CodePointSet other) {
        return intersect(other.complement());
    }

    /** The code points that lie in at least {@code needed} of the two sets. */
    private CodePointSet combine(CodePointSet other, int needed) {
        var out = new IntList();
        int i = 0;
        int j = 0;
        boolean inside = false;
        while (i < bounds.length || j < other.bounds.length) {
            int a = i < bounds.length ? bounds[i] : Integer.MAX_VALUE;
            int b = j < other.bounds.length ? other.bounds[j] : Integer.MAX_VALUE;
            int at = Math.min(a, b);
            i += a == at ? 1 : 0;
            j += b == at ? 1 : 0;
            boolean now = (i & 1) + (j & 1) >= needed;
            if (now != inside) {
                out.add(at);
                inside = now;
            }
        }
        return new CodePointSet(out.toArray());
    }

    /** Where membership changes, in ascending order. */
    int[] bounds() {
        return bounds;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof CodePointSet set && Arrays.equals(bounds, set.bounds);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(bounds);
    }
}
