package io.cortado.constrain;

import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Tokens as a prefix tree, level by level: the children of a node lie side by side, in the order of
 * their bytes, and those of its next sibling after them. Node 0 is the root.
 */
final class TokenTrie {
    /** No token ends at a node, or no other has the same bytes. */
    static final int NONE = -1;

    final byte[] value;

    /** The first child of each node, which the children of the node before it end at. */
    final int[] first;

    final int[] token;
    final int[] parent;
    final int maxDepth;

    /** By token id: another token of the same bytes; null where all differ. */
    private int @Nullable [] same;

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
        first = new int[numNodes + 1];
        token = new int[numNodes];
        parent = new int[numNodes];
        maxDepth = deepest;
        Arrays.fill(token, NONE);
        fill(sorted, bytes);
    }

    private static int common(byte[] a, byte[] b) {
        int mismatch = Arrays.mismatch(a, b);
        return mismatch < 0 ? a.length : mismatch;
    }

    /** A node stands for a range of the sorted tokens: those that begin with its bytes. */
    private void fill(Integer[] sorted, byte[][] bytes) {
        var from = new int[value.length];
        var to = new int[value.length];
        to[0] = sorted.length;
        int next = 1;
        int depth = 0;
        int levelEnd = 1;
        for (int node = 0; node < value.length; node++) {
            if (node == levelEnd) {
                depth++;
                levelEnd = next;
            }
            first[node] = next;
            int at = from[node];
            while (at < to[node] && bytes[sorted[at]].length == depth) {
                end(node, sorted[at++], bytes.length);
            }
            while (at < to[node]) {
                byte label = bytes[sorted[at]][depth];
                from[next] = at;
                while (at < to[node] && bytes[sorted[at]][depth] == label) {
                    at++;
                }
                to[next] = at;
                value[next] = label;
                parent[next++] = node;
            }
        }
        first[value.length] = next;
    }

    private void end(int node, int id, int numIds) {
        if (token[node] != NONE) {
            if (same == null) {
                same = new int[numIds];
                Arrays.fill(same, NONE);
            }
            same[id] = token[node];
        }
        token[node] = id;
    }

    int numNodes() {
        return value.length;
    }

    boolean hasChildren(int node) {
        return first[node] < first[node + 1];
    }

    /** Whether tokens of the same bytes end at some node. */
    boolean hasTwins() {
        return same != null;
    }

    /** Sets the bits of the tokens that end at a node. */
    void mark(int node, int[] bits) {
        int id = token[node];
        while (id != NONE) {
            bits[id >> 5] |= 1 << id;
            id = same == null ? NONE : same[id];
        }
    }

    /** Clears the bits of the tokens that end at a node. */
    void clear(int node, int[] bits) {
        int id = token[node];
        while (id != NONE) {
            bits[id >> 5] &= ~(1 << id);
            id = same == null ? NONE : same[id];
        }
    }

    /** The bytes that lead to {@code node} from {@code above}. */
    byte[] path(int above, int node) {
        int length = 0;
        for (int n = node; n != above; n = parent[n]) {
            length++;
        }
        var path = new byte[length];
        for (int n = node; n != above; n = parent[n]) {
            path[--length] = value[n];
        }
        return path;
    }

    /** The most bytes of a set that follow each other on a path. */
    int longestRun(ByteSet of) {
        var runs = new int[value.length];
        int longest = 0;
        for (int node = 1; node < value.length; node++) {
            runs[node] = of.contains(value[node] & 0xFF) ? runs[parent[node]] + 1 : 0;
            longest = Math.max(longest, runs[node]);
        }
        return longest;
    }

    /** The node of these bytes below the root, or {@link #NONE}. */
    int find(byte[] text, int from, int to) {
        int node = 0;
        for (int i = from; i < to; i++) {
            node = child(node, text[i]);
            if (node == NONE) {
                return NONE;
            }
        }
        return node;
    }

    /** The child of a node by its byte, or {@link #NONE}. */
    int child(int node, byte label) {
        int low = first[node];
        int high = first[node + 1] - 1;
        while (low <= high) {
            int middle = (low + high) >>> 1;
            int order = (value[middle] & 0xFF) - (label & 0xFF);
            if (order == 0) {
                return middle;
            }
            if (order < 0) {
                low = middle + 1;
            } else {
                high = middle - 1;
            }
        }
        return NONE;
    }
}
