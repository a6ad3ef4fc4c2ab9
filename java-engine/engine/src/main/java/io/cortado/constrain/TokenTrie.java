package io.cortado.constrain;

import java.util.Arrays;
import java.util.List;

/**
 * Tokens as a prefix tree in depth-first order: a node's subtree is the nodes up to its end. Node 0
 * is the root.
 */
final class TokenTrie {
    /** No token ends at a node, or no other has the same bytes. */
    static final int NONE = -1;

    final byte[] value;
    final int[] end;
    final int[] token;
    final short[] depth;
    final int[] parent;

    /** By token id: another token of the same bytes. */
    private final int[] same;

    final int maxDepth;

    /**
     * @param ids tokens, each with a byte at least
     * @param bytes by id
     */
    TokenTrie(List<Integer> ids, byte[][] bytes) {
        Integer[] sorted = ids.toArray(new Integer[0]);
        Arrays.sort(sorted, (a, b) -> Arrays.compareUnsigned(bytes[a], bytes[b]));
        int numNodes = 1;
        int deepest = 0;
        byte[] before = {};
        for (int id : sorted) {
            numNodes += bytes[id].length - common(before, bytes[id]);
            deepest = Math.max(deepest, bytes[id].length);
            before = bytes[id];
        }
        value = new byte[numNodes];
        end = new int[numNodes];
        token = new int[numNodes];
        depth = new short[numNodes];
        parent = new int[numNodes];
        same = new int[bytes.length];
        maxDepth = deepest;
        Arrays.fill(token, NONE);
        Arrays.fill(same, NONE);
        fill(sorted, bytes);
    }

    private void fill(Integer[] sorted, byte[][] bytes) {
        var path = new int[maxDepth + 1];
        int next = 1;
        byte[] before = {};
        for (int id : sorted) {
            byte[] text = bytes[id];
            for (int d = common(before, text); d < text.length; d++) {
                value[next] = text[d];
                depth[next] = (short) (d + 1);
                parent[next] = path[d];
                path[d + 1] = next++;
            }
            int node = path[text.length];
            if (token[node] != NONE) {
                same[id] = token[node];
            }
            token[node] = id;
            before = text;
        }
        Arrays.setAll(end, node -> node + 1);
        for (int node = end.length - 1; node > 0; node--) {
            end[parent[node]] = Math.max(end[parent[node]], end[node]);
        }
    }

    private static int common(byte[] a, byte[] b) {
        int mismatch = Arrays.mismatch(a, b);
        return mismatch < 0 ? a.length : mismatch;
    }

    int numNodes() {
        return end.length;
    }

    boolean hasChildren(int node) {
        return end[node] > node + 1;
    }

    /** Sets the bits of the tokens that end at a node. */
    void mark(int node, int[] bits) {
        for (int id = token[node]; id != NONE; id = same[id]) {
            bits[id >> 5] |= 1 << id;
        }
    }

    /** The node of these bytes below the root, or {@link #NONE}. */
    int find(byte[] text, int from, int to) {
        int node = 0;
        for (int i = from; i < to; i++) {
            int child = node + 1;
            while (child < end[node] && value[child] != text[i]) {
                child = end[child];
            }
            if (child >= end[node]) {
                return NONE;
            }
            node = child;
        }
        return node;
    }
}
