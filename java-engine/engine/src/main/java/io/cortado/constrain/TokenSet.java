package io.cortado.constrain;

import java.util.Arrays;

/** Token ids, or all but those. */
public final class TokenSet {
    private final int[] sortedIds;
    private final boolean isNegated;

    private TokenSet(int[] sortedIds, boolean isNegated) {
        this.sortedIds = sortedIds;
        this.isNegated = isNegated;
    }

    public static TokenSet of(int... ids) {
        return new TokenSet(Arrays.stream(ids).sorted().distinct().toArray(), false);
    }

    /** Every token of the vocabulary but these; control tokens stay outside unless named. */
    public static TokenSet allBut(int... ids) {
        return new TokenSet(of(ids).sortedIds, true);
    }

    boolean isNegated() {
        return isNegated;
    }

    int[] ids() {
        return sortedIds;
    }

    boolean names(int id) {
        return Arrays.binarySearch(sortedIds, id) >= 0;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof TokenSet that
                && isNegated == that.isNegated
                && Arrays.equals(sortedIds, that.sortedIds);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(sortedIds) + (isNegated ? 1 : 0);
    }
}
