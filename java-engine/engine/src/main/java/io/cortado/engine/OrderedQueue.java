package io.cortado.engine;

import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Waiting sequences by a number that each policy computes once, the smallest first; among equals in
 * the order of arrival. The first ones are in a sorted array, which looks go through, the others in
 * a binary heap behind it: O(log n) for each.
 */
final class OrderedQueue implements AdmissionQueue {
    /** What orders. */
    @FunctionalInterface
    interface Key {
        long of(Sequence sequence);
    }

    /** In {@link Sequence#heapIndex}. */
    private static final int NOT_IN_HEAP = -1;

    private final Key key;
    private final boolean rankVictims;
    private final @Nullable Sequence[] front = new @Nullable Sequence[SCAN];
    private int frontSize;
    private @Nullable Sequence[] heap = new @Nullable Sequence[64];
    private int heapSize;
    private int looked;

    private OrderedQueue(Key key, boolean rankVictims) {
        this.key = key;
        this.rankVictims = rankVictims;
    }

    /** First come, first served. */
    static OrderedQueue fcfs() {
        return new OrderedQueue(_ -> 0, false);
    }

    /** The lowest priority number first, as vLLM; it is thrown out last. */
    static OrderedQueue priority() {
        return new OrderedQueue(sequence -> sequence.request.priority, true);
    }

    /**
     * Earliest deadline first: the first token's, or the next token's of a sequence that was thrown
     * out. What may wait longest is thrown out first.
     */
    static OrderedQueue deadline() {
        return new OrderedQueue(Sequence::deadlineNanos, true);
    }

    @Override
    public int size() {
        return frontSize + heapSize;
    }

    @Override
    public void add(Sequence sequence) {
        sequence.queueKey = key.of(sequence);
        sequence.heapIndex = NOT_IN_HEAP;
        if (frontSize == SCAN && !isBefore(sequence, at(front, SCAN - 1))) {
            push(sequence);
            return;
        }
        if (frontSize == SCAN) {
            push(at(front, --frontSize));
        }
        int i = frontSize++;
        while (i > 0 && isBefore(sequence, at(front, i - 1))) {
            front[i] = front[i - 1];
            i--;
        }
        front[i] = sequence;
    }

    @Override
    public boolean remove(Sequence sequence) {
        for (int i = 0; i < frontSize; i++) {
            if (front[i] == sequence) {
                removeFront(i);
                return true;
            }
        }
        int index = sequence.heapIndex;
        if (index >= heapSize || index < 0 || heap[index] != sequence) {
            return false;
        }
        removeHeap(index);
        return true;
    }

    @Override
    public void begin() {
        looked = 0;
    }

    @Override
    public @Nullable Sequence next() {
        return looked < frontSize ? front[looked++] : null;
    }

    @Override
    public void take() {
        removeFront(--looked);
    }

    @Override
    public void end() {
        // What was passed over stayed in its place.
    }

    @Override
    public void admitted(Sequence sequence, int promptTokens) {
        // The order does not depend on service.
    }

    @Override
    public void generated(Sequence sequence) {
        // Likewise.
    }

    @Override
    public void ended(Sequence sequence) {
        // Likewise.
    }

    @Override
    public long victimRank(Sequence sequence) {
        return rankVictims ? key.of(sequence) : 0;
    }

    private void removeFront(int index) {
        System.arraycopy(front, index + 1, front, index, frontSize - index - 1);
        front[--frontSize] = null;
        if (heapSize > 0) {
            Sequence first = at(heap, 0);
            removeHeap(0);
            front[frontSize++] = first;
        }
    }

    private static boolean isBefore(Sequence a, Sequence b) {
        return a.queueKey != b.queueKey ? a.queueKey < b.queueKey : a.order < b.order;
    }

    private static Sequence at(@Nullable Sequence[] array, int index) {
        return Objects.requireNonNull(array[index]);
    }

    private void push(Sequence sequence) {
        if (heapSize == heap.length) {
            heap = Arrays.copyOf(heap, 2 * heap.length);
        }
        siftUp(sequence, heapSize++);
    }

    private void removeHeap(int index) {
        at(heap, index).heapIndex = NOT_IN_HEAP;
        Sequence last = at(heap, --heapSize);
        heap[heapSize] = null;
        if (index < heapSize) {
            siftDown(last, index);
            if (heap[index] == last) {
                siftUp(last, index);
            }
        }
    }

    private void siftUp(Sequence sequence, int index) {
        int i = index;
        while (i > 0 && isBefore(sequence, at(heap, (i - 1) / 2))) {
            place(at(heap, (i - 1) / 2), i);
            i = (i - 1) / 2;
        }
        place(sequence, i);
    }

    private void siftDown(Sequence sequence, int index) {
        int i = index;
        while (2 * i + 1 < heapSize) {
            int child = 2 * i + 1;
            if (child + 1 < heapSize && isBefore(at(heap, child + 1), at(heap, child))) {
                child++;
            }
            if (!isBefore(at(heap, child), sequence)) {
                break;
            }
            place(at(heap, child), i);
            i = child;
        }
        place(sequence, i);
    }

    private void place(Sequence sequence, int index) {
        heap[index] = sequence;
        sequence.heapIndex = index;
    }
}
