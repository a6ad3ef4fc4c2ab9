package io.cortado.speculate;

import java.util.Arrays;
import java.util.Objects;

/**
 * Tokens that may follow a sequence: a tree whose nodes stand behind their parents. A chain is the
 * tree in which each node is the parent of the next.
 */
public final class DraftTree {
    /** The parent of the nodes that may come first: the last token that is known. */
    public static final int ROOT = -1;

    /** No such node. */
    public static final int NONE = -2;

    private final int[] tokens;
    private final int[] parents;

    /** Of {@link #cut}. */
    private final int[] moved;

    private int size;

    /**
     * @param maxNodes the most that it will hold
     */
    public DraftTree(int maxNodes) {
        tokens = new int[maxNodes];
        parents = new int[maxNodes];
        moved = new int[maxNodes];
    }

    public int size() {
        return size;
    }

    /** Places that are left. */
    public int room() {
        return tokens.length - size;
    }

    public void clear() {
        size = 0;
    }

    /** Keeps the first nodes alone. */
    public void truncate(int nodes) {
        size = Math.min(size, nodes);
    }

    /** Drops a node and all behind it; those that came later move up. */
    public void cut(int node) {
        int kept = node;
        moved[node] = NONE;
        for (int i = node + 1; i < size; i++) {
            int parent = parents[i];
            int at = parent < node ? parent : moved[parent];
            moved[i] = at == NONE ? NONE : kept;
            if (at != NONE) {
                tokens[kept] = tokens[i];
                parents[kept++] = at;
            }
        }
        size = kept;
    }

    /** True if nothing stands behind the node. */
    public boolean isLeaf(int node) {
        return firstChild(node) == NONE;
    }

    /** The first that was added behind a node, the likeliest; {@link #NONE}: nothing was. */
    public int firstChild(int parent) {
        for (int node = parent + 1; node < size; node++) {
            if (parents[node] == parent) {
                return node;
            }
        }
        return NONE;
    }

    /** How far the way to a node is that of the first children. */
    public int firstsOnTheWayTo(int node) {
        int depth = 0;
        int first = firstChild(ROOT);
        while (first != NONE && isOnTheWay(first, node)) {
            depth++;
            first = firstChild(first);
        }
        return depth;
    }

    private boolean isOnTheWay(int node, int end) {
        int at = end;
        while (at > node) {
            at = parents[at];
        }
        return at == node;
    }

    /** Adds what may follow a node. */
    public int add(int parent, int token) {
        if (parent < ROOT || parent >= size) {
            throw new IllegalArgumentException("parent=" + parent + " size=" + size);
        }
        tokens[size] = token;
        parents[size] = parent;
        return size++;
    }

    /** Adds what may follow the last node, or the root where there is none. */
    public int append(int token) {
        return add(size - 1, token);
    }

    public int token(int node) {
        return tokens[Objects.checkIndex(node, size)];
    }

    public int parent(int node) {
        return parents[Objects.checkIndex(node, size)];
    }

    /** Tokens from the root to the node, its own included. */
    public int depth(int node) {
        int depth = 0;
        for (int at = node; at != ROOT; at = parents[at]) {
            depth++;
        }
        return depth;
    }

    /** The node with this token behind a parent; {@link #NONE} where there is none. */
    public int child(int parent, int token) {
        for (int node = parent + 1; node < size; node++) {
            if (parents[node] == parent && tokens[node] == token) {
                return node;
            }
        }
        return NONE;
    }

    /** True if each node follows the one before it. */
    public boolean isChain() {
        for (int node = 0; node < size; node++) {
            if (parents[node] != node - 1) {
                return false;
            }
        }
        return true;
    }

    @Override
    public String toString() {
        return Arrays.toString(Arrays.copyOf(tokens, size))
                + " behind "
                + Arrays.toString(Arrays.copyOf(parents, size));
    }
}
