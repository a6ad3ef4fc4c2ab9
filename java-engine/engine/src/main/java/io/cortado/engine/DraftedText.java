package io.cortado.engine;

import io.cortado.kv.TokenSource;
import io.cortado.speculate.DraftTree;

/** A sequence as it would be with the drafts up to a node. One thread; set before use. */
final class DraftedText implements TokenSource {
    private int[] drafted = new int[0];
    private TokenSource known = _ -> 0;
    private int knownLength;
    private int length;

    /** The text before the row of a node. */
    void set(Sequence sequence, int node) {
        known = sequence;
        knownLength = sequence.length() - sequence.drawing;
        length = knownLength;
        Drafts drafts = sequence.drafts;
        if (drafts == null || node == DraftTree.ROOT) {
            return;
        }
        DraftTree tree = drafts.tree();
        int depth = tree.depth(node);
        length += depth;
        if (drafted.length < depth) {
            drafted = new int[2 * depth];
        }
        int at = node;
        for (int i = depth - 1; i >= 0; i--) {
            drafted[i] = tree.token(at);
            at = tree.parent(at);
        }
    }

    /** Tokens before the drafts. */
    int knownLength() {
        return knownLength;
    }

    int length() {
        return length;
    }

    @Override
    public int token(int position) {
        return position < knownLength ? known.token(position) : drafted[position - knownLength];
    }
}
