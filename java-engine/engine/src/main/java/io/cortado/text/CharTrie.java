package io.cortado.text;

import java.util.Arrays;

/**
 * The tokens of a vocabulary by their characters, to find all that begin at a place of a text: a
 * hash table of edges, without an object per node.
 */
final class CharTrie {
    /** What {@link #step} answers where no token goes on with the character. */
    static final int NONE = -1;

    static final int ROOT = 0;

    private static final long EMPTY = -1;

    private long[] edges = new long[1 << 10];
    private int[] children = new int[1 << 10];
    private int[] tokens = new int[1 << 9];
    private int nodes = 1;

    CharTrie() {
        Arrays.fill(edges, EMPTY);
        Arrays.fill(tokens, NONE);
    }

    /** A later token of the same spelling takes the place of the earlier. */
    void put(String spelling, int token) {
        int node = ROOT;
        for (int i = 0; i < spelling.length(); i++) {
            node = child(node, spelling.charAt(i));
        }
        tokens[node] = token;
    }

    /** The node that a character leads to, or {@link #NONE}. */
    int step(int node, char c) {
        int slot = slot(key(node, c));
        return edges[slot] == EMPTY ? NONE : children[slot];
    }

    /** The token that ends at a node, or {@link #NONE}. */
    int token(int node) {
        return tokens[node];
    }

    private int child(int node, char c) {
        int slot = slot(key(node, c));
        if (edges[slot] != EMPTY) {
            return children[slot];
        }
        if (nodes == tokens.length) {
            tokens = Arrays.copyOf(tokens, nodes * 2);
            Arrays.fill(tokens, nodes, tokens.length, NONE);
            grow();
            slot = slot(key(node, c));
        }
        edges[slot] = key(node, c);
        children[slot] = nodes;
        return nodes++;
    }

    /** Twice as many slots as there can be nodes, so that a search is short. */
    private void grow() {
        long[] oldEdges = edges;
        int[] oldChildren = children;
        edges = new long[tokens.length * 2];
        children = new int[tokens.length * 2];
        Arrays.fill(edges, EMPTY);
        for (int i = 0; i < oldEdges.length; i++) {
            if (oldEdges[i] != EMPTY) {
                int slot = slot(oldEdges[i]);
                edges[slot] = oldEdges[i];
                children[slot] = oldChildren[i];
            }
        }
    }

    private int slot(long key) {
        int mask = edges.length - 1;
        int slot = (int) (key * 0x9E3779B97F4A7C15L >>> 32) & mask;
        while (edges[slot] != EMPTY && edges[slot] != key) {
            slot = slot + 1 & mask;
        }
        return slot;
    }

    private static long key(int node, char c) {
        return (long) node << 16 | c;
    }
}
