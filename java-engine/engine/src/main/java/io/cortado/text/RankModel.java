package io.cortado.text;

import java.util.BitSet;

/**
 * Byte pair encoding by ranks, as tiktoken does it: two neighbours are joined where their bytes
 * together are a token, the lowest rank first, the leftmost among equals. A whole word that is a
 * token is that token.
 *
 * <p>Short words are merged by looking at all pairs each time, long ones with a heap over a linked
 * list, so the cost stays near-linear in the word.
 */
final class RankModel implements WordModel {
    private static final int MAX_SCANNED_BYTES = 64;
    private static final int ABSENT = Integer.MAX_VALUE;

    private final ByteTable ranks;

    /** The ranks of all tokens of two bytes: what every merge of a word begins with. */
    private final int[] pairs = new int[1 << 16];

    private final int longest;

    /**
     * @throws TokenizerFormatException if one of the 256 bytes is no token: such a text could not
     *     be encoded
     */
    RankModel(ByteTable ranks, int longestToken) {
        this.ranks = ranks;
        this.longest = longestToken;
        var pair = new byte[2];
        for (int p = 0; p < pairs.length; p++) {
            pair[0] = (byte) (p >> 8);
            pair[1] = (byte) p;
            int found = ranks.find(pair, 0, 2);
            pairs[p] = found == ByteTable.ABSENT ? ABSENT : found;
        }
        for (int b = 0; b < 256; b++) {
            if (ranks.find(new byte[] {(byte) b}, 0, 1) == ByteTable.ABSENT) {
                throw new TokenizerFormatException(
                        "vocabulary lacks one of the 256 bytes: byte=" + b);
            }
        }
    }

    @Override
    public int unknownId() {
        return -1;
    }

    /** The ranks hold no control tokens, so none is forbidden. */
    @Override
    public void tokenize(String word, BitSet forbidden, WordTokens out) {
        byte[] bytes = ByteLetters.bytes(word);
        if (bytes == null) {
            throw new IllegalArgumentException("word is not in byte letters: word=" + word);
        }
        int whole = ranks.find(bytes, 0, bytes.length);
        if (whole != ByteTable.ABSENT) {
            out.add(whole, bytes.length);
        } else if (bytes.length <= MAX_SCANNED_BYTES) {
            scan(bytes, out);
        } else {
            new Heap(bytes).run(out);
        }
    }

    /** The rank of the token {@code bytes[start, end)}, or {@link #ABSENT}. */
    private int rank(byte[] bytes, int start, int end) {
        if (end - start == 2) {
            return pairs[(bytes[start] & 0xFF) << 8 | bytes[start + 1] & 0xFF];
        }
        int found = end - start > longest ? ByteTable.ABSENT : ranks.find(bytes, start, end);
        return found == ByteTable.ABSENT ? ABSENT : found;
    }

    private void scan(byte[] bytes, WordTokens out) {
        int n = bytes.length;
        var starts = new int[n + 1];
        // joined[i] is the rank of parts i and i + 1 together.
        var joined = new int[n];
        for (int i = 0; i <= n; i++) {
            starts[i] = i;
        }
        for (int i = 0; i + 1 < n; i++) {
            joined[i] = rank(bytes, i, i + 2);
        }
        while (n > 1) {
            int best = 0;
            for (int i = 1; i + 1 < n; i++) {
                best = joined[i] < joined[best] ? i : best;
            }
            if (joined[best] == ABSENT) {
                break;
            }
            System.arraycopy(starts, best + 2, starts, best + 1, n - best - 1);
            System.arraycopy(joined, best + 1, joined, best, n - best - 1);
            n--;
            if (best + 1 < n) {
                joined[best] = rank(bytes, starts[best], starts[best + 2]);
            }
            if (best > 0) {
                joined[best - 1] = rank(bytes, starts[best - 1], starts[best + 1]);
            }
        }
        for (int i = 0; i < n; i++) {
            out.add(rank(bytes, starts[i], starts[i + 1]), starts[i + 1] - starts[i]);
        }
    }

    /** A heap of candidate pairs over a linked list of parts, O(n log n). */
    private final class Heap {
        private final byte[] bytes;
        private final int[] next;
        private final int[] previous;
        private final LongHeap heap;

        Heap(byte[] bytes) {
            this.bytes = bytes;
            int n = bytes.length;
            next = new int[n];
            previous = new int[n];
            heap = new LongHeap(n);
            for (int i = 0; i < n; i++) {
                next[i] = i + 1;
                previous[i] = i - 1;
            }
        }

        void run(WordTokens out) {
            int n = bytes.length;
            for (int i = 0; i + 1 < n; i++) {
                offer(i);
            }
            while (!heap.isEmpty()) {
                long top = heap.poll();
                int left = (int) top;
                int middle = next[left];
                // Stale once a neighbour has changed: the bytes found now have another rank.
                if (middle < 0 || middle >= n || rank(bytes, left, next[middle]) != top >>> 32) {
                    continue;
                }
                next[left] = next[middle];
                next[middle] = -1;
                if (next[left] < n) {
                    previous[next[left]] = left;
                    offer(left);
                }
                if (left > 0) {
                    offer(previous[left]);
                }
            }
            for (int i = 0; i < n; i = next[i]) {
                out.add(rank(bytes, i, next[i]), next[i] - i);
            }
        }

        private void offer(int left) {
            int rank = rank(bytes, left, next[next[left]]);
            if (rank == ABSENT) {
                return;
            }
            heap.offer((long) rank << 32 | left);
        }
    }
}
