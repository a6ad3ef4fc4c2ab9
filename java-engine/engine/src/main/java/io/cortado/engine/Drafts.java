package io.cortado.engine;

import io.cortado.kv.BlockPool;
import io.cortado.speculate.Acceptance;
import io.cortado.speculate.DraftLengths;
import io.cortado.speculate.DraftTree;
import io.cortado.speculate.Lookup;
import io.cortado.speculate.TokenText;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** What is drafted for one sequence. The loop's. */
final class Drafts implements TokenText {
    private final Sequence sequence;
    private final DraftTree tree;
    private final DraftPaths paths;
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

    /** Null where chains alone are drafted. */
    private final @Nullable DraftBeam beam;

    /** The most that may be drafted in this step; of a tree, on one way. */
    private int wanted;

    private boolean wantsTree;

    /** Tokens whose keys and values the drafting model has. */
    private int computed;

    /** The step of the target that the sequence was in last, and its first token there. */
    private long step;

    private int stepRow;
    private int stepStart;

    /** Rows of its first tokens there, where they do not lie side by side. */
    private final int[] stepRows;

    private int numStepRows;

    /** Chains. */
    Drafts(Sequence sequence, int most, DraftLengths lengths, @Nullable Lookup lookup) {
        this.sequence = sequence;
        this.lengths = lengths;
        this.lookup = lookup;
        acceptance = lengths.acceptance();
        beam = null;
        tree = new DraftTree(most);
        paths = new DraftPaths(tree, most, most, 0);
        stepRows = new int[0];
    }

    /**
     * Trees.
     *
     * @param depth the most on one way
     */
    Drafts(Sequence sequence, BeamShape shape, int depth, int maxForks, DraftLengths lengths) {
        this.sequence = sequence;
        this.lengths = lengths;
        acceptance = lengths.acceptance();
        lookup = null;
        int most = Math.max(depth, shape.selected());
        beam = new DraftBeam(shape, depth);
        tree = new DraftTree(most);
        paths = new DraftPaths(tree, most, depth, Math.min(maxForks, most - 1));
        stepRows = new int[1 + depth];
    }

    DraftTree tree() {
        return tree;
    }

    DraftPaths paths() {
        return paths;
    }

    /**
     * The sequence goes on in the blocks of the way on which most of the drafts are what was drawn.
     *
     * @param root the row of the last known token
     */
    void settle(Batch batch, int root, BlockPool pool) {
        int node = DraftTree.ROOT;
        int next = tree.child(node, batch.token[root]);
        while (next != DraftTree.NONE) {
            node = next;
            next = tree.child(node, batch.token[root + 1 + node]);
        }
        int path = node == DraftTree.ROOT ? 0 : paths.pathOf(node);
        if (path > 0) {
            paths.fork(path).swap(sequence.table, pool);
            noteRows(batch, root, node);
            computed = Math.min(computed, size() - 1); // what is behind is of other drafts
        }
        paths.release(pool);
    }

    /** The tokens of a way to a node are computed with several ways. */
    private void noteRows(Batch batch, int root, int end) {
        numStepRows = 1 + tree.depth(end);
        int node = end;
        for (int i = numStepRows - 1; i > 0; i--) {
            stepRows[i] = batch.rowToken[root + 1 + node];
            node = tree.parent(node);
        }
        stepRows[0] = batch.rowToken[root];
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

    void want(int tokens, boolean asTree) {
        wanted = tokens;
        wantsTree = asTree;
    }

    /** A tree is to be drafted, not a chain. */
    boolean wantsTree() {
        return wantsTree;
    }

    boolean hasTrees() {
        return beam != null;
    }

    DraftBeam beam() {
        return Objects.requireNonNull(beam);
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
        numStepRows = 0;
    }

    long step() {
        return step;
    }

    /** The row in that step of the token at a position. */
    int stepRow(int position) {
        int index = position - stepStart;
        return index < numStepRows ? stepRows[index] : stepRow + index;
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
        wantsTree = false;
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
