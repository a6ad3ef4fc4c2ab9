package io.cortado.engine;

import io.cortado.speculate.Acceptance;
import io.cortado.speculate.DraftTree;
import io.cortado.speculate.NgramIndex;
import io.cortado.speculate.TokenText;
import org.jspecify.annotations.Nullable;

/** What is drafted for one sequence. The loop's. */
final class Drafts implements TokenText {
    private final Sequence sequence;
    private final DraftTree tree;
    private final Acceptance acceptance;

    /** Of the sequence's own text; null where something else drafts. */
    private final @Nullable NgramIndex ngrams;

    /** The most that may be drafted in this step. */
    private int wanted;

    /** Tokens whose keys and values the drafting model has. */
    private int computed;

    /** The step of the target that the sequence was in last, and its first token there. */
    private long step;

    private int stepRow;
    private int stepStart;

    Drafts(Sequence sequence, int most, Acceptance acceptance, @Nullable NgramIndex ngrams) {
        this.sequence = sequence;
        this.acceptance = acceptance;
        this.ngrams = ngrams;
        tree = new DraftTree(most);
    }

    DraftTree tree() {
        return tree;
    }

    Acceptance acceptance() {
        return acceptance;
    }

    @Nullable NgramIndex ngrams() {
        return ngrams;
    }

    int wanted() {
        return wanted;
    }

    void want(int tokens) {
        wanted = tokens;
    }

    int computed() {
        return computed;
    }

    void computed(int tokens) {
        computed = tokens;
    }

    /**
     * The sequence is in a step of the target.
     *
     * @param row of its first token in the step
     * @param start that token's position
     */
    void ranIn(long number, int row, int start) {
        step = number;
        stepRow = row;
        stepStart = start;
    }

    long step() {
        return step;
    }

    int stepRow() {
        return stepRow;
    }

    int stepStart() {
        return stepStart;
    }

    /** The sequence was thrown out, or begins. */
    void restart(int reused) {
        tree.clear();
        computed = reused;
    }

    /** A step begins: what is computed of drafts that did not stand does not count. */
    void begin() {
        tree.clear();
        int known = size() - 1 + Math.min(1, sequence.drawing);
        computed = Math.min(computed, known);
    }

    /** Known tokens. */
    @Override
    public int size() {
        return sequence.length() - sequence.drawing;
    }

    @Override
    public int token(int index) {
        return sequence.token(index);
    }
}
