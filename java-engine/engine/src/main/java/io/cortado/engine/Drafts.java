package io.cortado.engine;

import io.cortado.speculate.Acceptance;
import io.cortado.speculate.DraftLengths;
import io.cortado.speculate.DraftTree;
import io.cortado.speculate.Lookup;
import io.cortado.speculate.TokenText;
import org.jspecify.annotations.Nullable;

/** What is drafted for one sequence. The loop's. */
final class Drafts implements TokenText {
    private final Sequence sequence;
    private final DraftTree tree;
    private final Acceptance acceptance;

    private final DraftLengths lengths;

    /** Null where what drafts is no text. */
    private final @Nullable Lookup lookup;

    /** Its last token has to be known before the next step is chosen. */
    private boolean isOn;

    /** What drafts reads its prompt along with the target. */
    private boolean reads;

    /** What drafts still has to read tokens before it can draft. */
    private boolean isBehind;

    /** It has begun, or begun again, since what drafts has last looked. */
    private boolean isFresh;

    /** The most that may be drafted in this step. */
    private int wanted;

    /** Tokens whose keys and values the drafting model has. */
    private int computed;

    /** The step of the target that the sequence was in last, and its first token there. */
    private long step;

    private int stepRow;
    private int stepStart;

    Drafts(Sequence sequence, int most, DraftLengths lengths, @Nullable Lookup lookup) {
        this.sequence = sequence;
        this.lengths = lengths;
        this.lookup = lookup;
        acceptance = lengths.acceptance();
        tree = new DraftTree(most);
    }

    DraftTree tree() {
        return tree;
    }

    Acceptance acceptance() {
        return acceptance;
    }

    @Nullable Lookup lookup() {
        return lookup;
    }

    boolean isOn() {
        return isOn;
    }

    void turn(boolean on) {
        isOn = on;
    }

    boolean reads() {
        return reads;
    }

    /** What drafts cannot read its prompt, or the beginning of it. */
    void cannotRead() {
        reads = false;
    }

    boolean isBehind() {
        return isBehind;
    }

    void behind(boolean is) {
        isBehind = is;
    }

    /** True once after each {@link #restart}. */
    boolean takeFresh() {
        boolean was = isFresh;
        isFresh = false;
        return was;
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
        reads = lengths.isReading();
        isFresh = true;
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
