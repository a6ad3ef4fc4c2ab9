package io.cortado.model;

/**
 * Of which rows of a step's logits each rank sends the first one candidates only: the first tokens
 * of its part, in the sampler's order. The other rows come whole. Filled by the caller, row by row.
 */
public final class RowCandidates {
    private static final int WHOLE = 0;
    private static final int NEEDS_MASS = 1;
    private static final int COUNT_SHIFT = 1;

    private final int[] words;
    private int drawableIds;

    RowCandidates(int maxRows) {
        words = new int[maxRows];
    }

    /** The row's logits come as they are. */
    public void whole(int row) {
        words[row] = WHOLE;
    }

    /**
     * Of the row so many come from each rank, or all that there are.
     *
     * @param needsMass log-probabilities are asked for, which all logits count in
     */
    public void candidates(int row, int count, boolean needsMass) {
        words[row] = count << COUNT_SHIFT | (needsMass ? NEEDS_MASS : 0);
    }

    boolean isWhole(int row) {
        return words[row] == WHOLE;
    }

    /** Candidates of a rank; 0: the row is whole. */
    int count(int row) {
        return words[row] >> COUNT_SHIFT;
    }

    boolean needsMass(int row) {
        return (words[row] & NEEDS_MASS) != 0;
    }

    /** The rows in one word each, for the other ranks: they read what one wrote. */
    public int[] words() {
        return words;
    }

    /** Ids from 0 on that a token may be drawn from. */
    public int drawableIds() {
        return drawableIds;
    }

    public void drawableIds(int count) {
        drawableIds = count;
    }

    void copy(RowCandidates from, int numRows) {
        System.arraycopy(from.words, 0, words, 0, numRows);
        drawableIds = from.drawableIds;
    }
}
