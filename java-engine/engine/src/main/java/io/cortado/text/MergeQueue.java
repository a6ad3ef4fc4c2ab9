package io.cortado.text;

import java.util.BitSet;

/**
 * Merges the symbols of one long word: a heap of candidate pairs over a linked list, O(n log n).
 */
final class MergeQueue {
    private static final int GONE = -1;
    private static final int MAX_SCANNED_SYMBOLS = 24;

    private final PairTable merges;
    private final BitSet forbidden;
    private final int[] symbols;
    private final int[] next;
    private final int[] previous;
    private final LongHeap heap;

    private MergeQueue(int[] symbols, int n, PairTable merges, BitSet forbidden) {
        this.merges = merges;
        this.forbidden = forbidden;
        this.symbols = symbols;
        next = new int[n];
        previous = new int[n];
        heap = new LongHeap(n + 1);
        for (int i = 0; i < n; i++) {
            next[i] = i + 1;
            previous[i] = i - 1;
        }
        for (int i = 0; i + 1 < n; i++) {
            offer(i);
        }
    }

    /**
     * Joins the symbols of a word in place: short words by looking at all pairs each time, long
     * ones with a heap.
     *
     * @param bytes how long each symbol is; joined with the symbols
     * @param forbidden ids that no merge may make
     * @return how many symbols are left
     */
    static int merge(int[] symbols, int[] bytes, int n, PairTable merges, BitSet forbidden) {
        return n <= MAX_SCANNED_SYMBOLS
                ? mergeByScanning(symbols, bytes, n, merges, forbidden)
                : mergeByHeap(symbols, bytes, n, merges, forbidden);
    }

    static int mergeByHeap(int[] symbols, int[] bytes, int n, PairTable merges, BitSet forbidden) {
        var queue = new MergeQueue(symbols, n, merges, forbidden);
        queue.run(bytes);
        int left = 0;
        for (int i = 0; i < n; i++) {
            if (symbols[i] != GONE) {
                symbols[left] = symbols[i];
                bytes[left++] = bytes[i];
            }
        }
        return left;
    }

    private void run(int[] bytes) {
        int n = next.length;
        while (!heap.isEmpty()) {
            long top = heap.poll();
            int rank = (int) (top >>> 32);
            int left = (int) top;
            // An entry is stale once either neighbour has changed: the pair found now has another
            // rank.
            if (symbols[left] == GONE || next[left] >= n) {
                continue;
            }
            int right = next[left];
            long found = find(merges, forbidden, symbols[left], symbols[right]);
            if (found == PairTable.ABSENT || (int) (found >>> 32) != rank) {
                continue;
            }
            symbols[left] = (int) found;
            bytes[left] += bytes[right];
            symbols[right] = GONE;
            next[left] = next[right];
            if (next[left] < n) {
                previous[next[left]] = left;
                offer(left);
            }
            if (previous[left] >= 0) {
                offer(previous[left]);
            }
        }
    }

    /**
     * The same result by looking at every pair for each merge: quicker for a handful of symbols.
     */
    static int mergeByScanning(
            int[] symbols, int[] bytes, int count, PairTable merges, BitSet forbidden) {
        int n = count;
        var found = new long[n];
        for (int i = 0; i + 1 < n; i++) {
            found[i] = find(merges, forbidden, symbols[i], symbols[i + 1]);
        }
        while (n > 1) {
            int at = 0;
            for (int i = 1; i + 1 < n; i++) {
                // ABSENT is -1, the largest rank of all when read without a sign.
                at = found[i] >>> 32 < found[at] >>> 32 ? i : at;
            }
            if (found[at] == PairTable.ABSENT) {
                break;
            }
            symbols[at] = (int) found[at];
            bytes[at] += bytes[at + 1];
            System.arraycopy(symbols, at + 2, symbols, at + 1, n - at - 2);
            System.arraycopy(bytes, at + 2, bytes, at + 1, n - at - 2);
            System.arraycopy(found, at + 2, found, at + 1, n - at - 2);
            n--;
            if (at > 0) {
                found[at - 1] = find(merges, forbidden, symbols[at - 1], symbols[at]);
            }
            if (at + 1 < n) {
                found[at] = find(merges, forbidden, symbols[at], symbols[at + 1]);
            }
        }
        return n;
    }

    private static long find(PairTable merges, BitSet forbidden, int left, int right) {
        long found = merges.find(left, right);
        return found != PairTable.ABSENT && forbidden.get((int) found) ? PairTable.ABSENT : found;
    }

    private void offer(int left) {
        long found = find(merges, forbidden, symbols[left], symbols[next[left]]);
        if (found == PairTable.ABSENT) {
            return;
        }
        heap.offer((found & 0xFFFF_FFFF_0000_0000L) | left);
    }
}
