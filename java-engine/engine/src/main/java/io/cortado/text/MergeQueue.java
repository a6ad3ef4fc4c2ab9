package io.cortado.text;

import java.util.Arrays;

/**
 * Merges the symbols of one long word: a heap of candidate pairs over a linked list, O(n log n).
 */
final class MergeQueue {
    private static final int GONE = -1;

    private final PairTable merges;
    private final int[] symbols;
    private final int[] next;
    private final int[] previous;
    private long[] heap;
    private int heapSize;

    MergeQueue(int[] symbols, PairTable merges) {
        int n = symbols.length;
        this.merges = merges;
        this.symbols = symbols.clone();
        next = new int[n];
        previous = new int[n];
        heap = new long[n + 1];
        for (int i = 0; i < n; i++) {
            next[i] = i + 1;
            previous[i] = i - 1;
        }
        for (int i = 0; i + 1 < n; i++) {
            offer(i);
        }
    }

    int[] merge() {
        int n = symbols.length;
        while (heapSize > 0) {
            long top = poll();
            int rank = (int) (top >>> 32);
            int left = (int) top;
            // An entry is stale once either neighbour has changed: the pair found now has another
            // rank.
            if (symbols[left] == GONE || next[left] >= n) {
                continue;
            }
            int right = next[left];
            long found = merges.find(symbols[left], symbols[right]);
            if (found == PairTable.ABSENT || (int) (found >>> 32) != rank) {
                continue;
            }
            symbols[left] = (int) found;
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
        return Arrays.stream(symbols).filter(s -> s != GONE).toArray();
    }

    /**
     * The same result by looking at every pair for each merge: quicker for a handful of symbols.
     */
    static int[] mergeByScanning(int[] word, PairTable merges) {
        int[] symbols = word.clone();
        int n = symbols.length;
        while (n > 1) {
            long best = Long.MAX_VALUE;
            int at = 0;
            for (int i = 0; i + 1 < n; i++) {
                long found = merges.find(symbols[i], symbols[i + 1]);
                if (found != PairTable.ABSENT && found >>> 32 < best >>> 32) {
                    best = found;
                    at = i;
                }
            }
            if (best == Long.MAX_VALUE) {
                break;
            }
            symbols[at] = (int) best;
            System.arraycopy(symbols, at + 2, symbols, at + 1, n - at - 2);
            n--;
        }
        return Arrays.copyOf(symbols, n);
    }

    private void offer(int left) {
        long found = merges.find(symbols[left], symbols[next[left]]);
        if (found == PairTable.ABSENT) {
            return;
        }
        if (heapSize == heap.length) {
            heap = Arrays.copyOf(heap, heapSize * 2);
        }
        long entry = (found & 0xFFFF_FFFF_0000_0000L) | left;
        int i = heapSize++;
        while (i > 0 && heap[(i - 1) >> 1] > entry) {
            heap[i] = heap[(i - 1) >> 1];
            i = (i - 1) >> 1;
        }
        heap[i] = entry;
    }

    private long poll() {
        long top = heap[0];
        long last = heap[--heapSize];
        int i = 0;
        while (2 * i + 1 < heapSize) {
            int child = 2 * i + 1;
            if (child + 1 < heapSize && heap[child + 1] < heap[child]) {
                child++;
            }
            if (heap[child] >= last) {
                break;
            }
            heap[i] = heap[child];
            i = child;
        }
        heap[i] = last;
        return top;
    }
}
