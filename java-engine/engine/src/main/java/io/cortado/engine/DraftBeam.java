package io.cortado.engine;

import io.cortado.kv.BlockFork;
import io.cortado.kv.BlockPool;
import io.cortado.speculate.DraftTree;

/**
 * A tree of drafts of one sequence while it is drafted, level by level: the likeliest few of a
 * level are gone on behind (EAGLE-2: Li et al. 2024, arXiv 2406.16858), or those that have
 * something behind them in a fixed tree. Each of these has a fork of the sequence's blocks, for
 * what drafts to keep its keys in; two levels take turns. The loop's.
 */
final class DraftBeam {
    private final BeamShape shape;
    private final BlockFork[] forks;

    // What was drafted so far; a parent comes before those behind it.
    private final int[] tokens;
    private final int[] parents;
    private final double[] scores;

    /** In a fixed tree: its place there; once the tree is selected, its node. */
    private final int[] places;

    private final int[] selected;
    private int size;

    /** Where the level begins that is drafted now. */
    private int levelStart;

    private int level;

    // Those that are gone on behind, of the last level and of the one before.
    private int[] open;
    private int[] openBefore;
    private int numOpen;

    DraftBeam(BeamShape shape, int depth) {
        this.shape = shape;
        forks = new BlockFork[2 * shape.width()];
        for (int i = 0; i < forks.length; i++) {
            forks[i] = new BlockFork(depth);
        }
        tokens = new int[shape.nodes()];
        parents = new int[shape.nodes()];
        scores = new double[shape.nodes()];
        places = new int[shape.nodes()];
        selected = new int[shape.selected()];
        open = new int[shape.width()];
        openBefore = new int[shape.width()];
    }

    /**
     * Begins a tree and takes the blocks of its forks: all, or none and false.
     *
     * @param from the first place whose keys may differ
     * @param depth of the tree
     * @param spare blocks to leave free
     */
    boolean begin(BlockPool pool, int from, int depth, int spare) {
        size = 0;
        level = 0;
        levelStart = 0;
        numOpen = 0;
        for (int i = 0; depth > 1 && i < forks.length; i++) {
            if (!forks[i].take(pool, from, from + depth, spare)) {
                release(pool);
                return false;
            }
        }
        return true;
    }

    /** Gives the forks' blocks back; again is harmless. */
    void release(BlockPool pool) {
        for (BlockFork fork : forks) {
            fork.release(pool);
        }
    }

    /** Drafts to be made behind one, or behind {@link DraftTree#ROOT}. */
    int childrenOf(int draft) {
        BeamShape.Places fixed = shape.fixed();
        return fixed == null ? shape.children() : fixed.numChildren()[1 + placeOf(draft)];
    }

    private int placeOf(int draft) {
        return draft == DraftTree.ROOT ? DraftTree.ROOT : places[draft];
    }

    /**
     * Adds what was drafted behind one, the likeliest first.
     *
     * @param rank how many were added there before
     * @param logprob of the token, given those before it
     */
    void add(int parent, int rank, int token, double logprob) {
        BeamShape.Places fixed = shape.fixed();
        tokens[size] = token;
        parents[size] = parent;
        scores[size] = (parent == DraftTree.ROOT ? 0 : scores[parent]) + Math.min(0, logprob);
        places[size] = fixed == null ? 0 : fixed.firstChild()[1 + placeOf(parent)] + rank;
        size++;
    }

    /** A level was drafted: chooses which of it are gone on behind. */
    void endLevel() {
        int[] other = openBefore;
        openBefore = open;
        open = other;
        numOpen = 0;
        for (int draft = levelStart; draft < size; draft++) {
            if (childrenOf(draft) > 0) {
                numOpen = insert(open, numOpen, draft);
            }
        }
        level++;
        levelStart = size;
    }

    /** Into the likeliest so far, in the order of likelihood; how many they are now. */
    private int insert(int[] likeliest, int count, int draft) {
        int at = count;
        while (at > 0 && scores[likeliest[at - 1]] < scores[draft]) {
            at--;
        }
        if (at == likeliest.length) {
            return count;
        }
        int more = Math.min(likeliest.length, count + 1);
        System.arraycopy(likeliest, at, likeliest, at + 1, more - at - 1);
        likeliest[at] = draft;
        return more;
    }

    /** Levels that were drafted. */
    int level() {
        return level;
    }

    /** Those of the last level that are gone on behind. */
    int numOpen() {
        return numOpen;
    }

    int open(int index) {
        return open[index];
    }

    int token(int draft) {
        return tokens[draft];
    }

    /** Which of those gone on behind in the level before a draft of this one stands behind. */
    int placeOfParent(int draft) {
        int place = 0;
        while (openBefore[place] != parents[draft]) {
            place++;
        }
        return place;
    }

    /** Of one that is gone on behind. */
    BlockFork fork(int index) {
        return forks[level % 2 * shape.width() + index];
    }

    /** The same of the level before. */
    BlockFork forkBefore(int index) {
        return forks[(level + 1) % 2 * shape.width() + index];
    }

    /** The likeliest of all that was drafted, the likeliest first. */
    void select(DraftTree tree) {
        int count = 0;
        for (int draft = 0; draft < size; draft++) {
            count = insert(selected, count, draft);
        }
        for (int i = 0; i < Math.min(count, tree.room() + i); i++) {
            int draft = selected[i];
            int parent = parents[draft];
            int behind = parent == DraftTree.ROOT ? DraftTree.ROOT : places[parent];
            places[draft] = tree.add(behind, tokens[draft]);
        }
    }
}
