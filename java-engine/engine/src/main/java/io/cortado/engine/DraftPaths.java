package io.cortado.engine;

import io.cortado.kv.BlockFork;
import io.cortado.kv.BlockPool;
import io.cortado.kv.KvCache;
import io.cortado.speculate.DraftTree;

/**
 * The ways of a tree of drafts from its root to its leaves. Each is verified as a text of its own
 * in blocks of its own: so each key lies where it lies without drafts, and is added up in the same
 * order. Each draft is computed once, with the first way that it is on, and its keys and values are
 * copied for the others. The first way lies in the sequence's own blocks, the last known token and
 * all, each other one in a fork of them; the sequence goes on in those of the way that stands. A
 * chain is a tree of one way. The loop's.
 */
final class DraftPaths {
    private final DraftTree tree;
    private final BlockFork[] forks;
    private final int[] leaves;

    /** The first way that a node is on. */
    private final int[] pathOf;

    private final boolean[] isParent;
    private int count;

    /**
     * @param maxForks ways beside the first
     */
    DraftPaths(DraftTree tree, int maxNodes, int maxDepth, int maxForks) {
        this.tree = tree;
        forks = new BlockFork[maxForks];
        for (int i = 0; i < maxForks; i++) {
            forks[i] = new BlockFork(1 + maxDepth);
        }
        leaves = new int[1 + maxForks];
        pathOf = new int[maxNodes];
        isParent = new boolean[maxNodes];
    }

    /** Ways; none where there are no drafts. */
    int count() {
        return count;
    }

    /** Drafts on a way. */
    int depth(int path) {
        return tree.depth(leaves[path]);
    }

    int leaf(int path) {
        return leaves[path];
    }

    /** The first way that a node is on. */
    int pathOf(int node) {
        return pathOf[node];
    }

    /** Of a way that is not the first. */
    BlockFork fork(int path) {
        return forks[path - 1];
    }

    /** Tokens that are computed with a way: those that no earlier one has, at its end. */
    int numOwn(int path) {
        int node = leaves[path];
        int own = path == 0 ? 1 : 0;
        while (node != DraftTree.ROOT && pathOf[node] == path) {
            own++;
            node = tree.parent(node);
        }
        return own;
    }

    /** Tokens of the ways that are computed with an earlier one. */
    private int numCopies() {
        int tokens = 0;
        for (int path = 1; path < count; path++) {
            tokens += 1 + depth(path) - numOwn(path);
        }
        return tokens;
    }

    /** Drops drafts, the last one first, until what is left fits. */
    void fit(int start, int mostForks, int mostCopies, int mostBlocks) {
        int most = Math.min(mostForks, forks.length);
        find(most);
        while (count > 1 + most || numCopies() > mostCopies || numBlocks(start) > mostBlocks) {
            tree.truncate(tree.size() - 1);
            find(most);
        }
    }

    private int numBlocks(int start) {
        int blocks = 0;
        for (int path = 1; path < count; path++) {
            int end = start + 1 + depth(path);
            blocks += BlockPool.blocksFor(end) - start / BlockPool.BLOCK_TOKENS;
        }
        return blocks;
    }

    /** Finds the ways, and one too many where there are more. */
    private void find(int mostForks) {
        int size = tree.size();
        for (int node = 0; node < size; node++) {
            isParent[node] = false;
            pathOf[node] = DraftTree.NONE;
            if (tree.parent(node) != DraftTree.ROOT) {
                isParent[tree.parent(node)] = true;
            }
        }
        count = 0;
        if (size > 0) {
            add(firstLeaf());
        }
        for (int node = 0; node < size; node++) {
            if (!isParent[node] && pathOf[node] == DraftTree.NONE) {
                if (count > mostForks) {
                    count++;
                    return;
                }
                add(node);
            }
        }
    }

    /** Behind the first drafts of all. */
    private int firstLeaf() {
        int leaf = 0;
        for (int node = 1; node < tree.size(); node++) {
            if (tree.parent(node) == leaf) {
                leaf = node;
            }
        }
        return leaf;
    }

    private void add(int leaf) {
        for (int node = leaf; node != DraftTree.ROOT; node = tree.parent(node)) {
            if (pathOf[node] == DraftTree.NONE) {
                pathOf[node] = count;
            }
        }
        leaves[count++] = leaf;
    }

    /**
     * Takes the blocks of the ways, which {@link #fit}.
     *
     * @param start place of the last known token
     */
    void take(Sequence sequence, KvCache cache, int start) {
        for (int path = 1; path < count; path++) {
            BlockFork fork = fork(path);
            if (!fork.take(cache.pool(), start, start + 1 + depth(path), 0)) {
                throw new IllegalStateException("no blocks for drafts that fit: path=" + path);
            }
            cache.copyCommon(sequence.table, fork, start);
        }
    }

    /**
     * Writes to a batch the tokens that are computed with a way, and where it has the others from.
     *
     * @param first place of the first of them
     * @param draftTokens to note in where each draft is computed
     */
    void write(Batch to, int first, int path, Sequence sequence, int[] draftTokens) {
        int position = sequence.computed + depth(path);
        int node = leaves[path];
        for (int at = first + numOwn(path) - 1; at >= first; at--) {
            to.fedRows[at] = Batch.KNOWN;
            to.positions[at] = position;
            to.slots[at] = slot(path, sequence, position--);
            if (node == DraftTree.ROOT) {
                to.ids[at] = sequence.token(sequence.computed);
            } else {
                to.ids[at] = tree.token(node);
                draftTokens[node] = at;
                node = tree.parent(node);
            }
        }
        for (; position >= sequence.computed; position--) {
            int source = node == DraftTree.ROOT ? 0 : pathOf[node];
            to.addCopy(slot(source, sequence, position), slot(path, sequence, position));
            node = node == DraftTree.ROOT ? node : tree.parent(node);
        }
    }

    private long slot(int path, Sequence sequence, int position) {
        return path == 0 ? sequence.table.slot(position) : fork(path).slot(position);
    }

    /** Blocks that the forks hold. */
    int numHeld() {
        int blocks = 0;
        for (BlockFork fork : forks) {
            blocks += fork.size();
        }
        return blocks;
    }

    /** Gives back what no way needs any more; again is harmless. */
    void release(BlockPool pool) {
        for (BlockFork fork : forks) {
            fork.release(pool);
        }
        count = 0;
    }
}
