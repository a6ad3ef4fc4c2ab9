package io.cortado.engine;

import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Sequences in order of arrival, in a ring: O(1) at the head, O(i) at the i-th place. */
final class WaitingQueue {
    private @Nullable Sequence[] ring = new @Nullable Sequence[64];
    private int head;
    private int size;

    int size() {
        return size;
    }

    Sequence get(int index) {
        return Objects.requireNonNull(ring[at(index)]);
    }

    void addLast(Sequence sequence) {
        if (size == ring.length) {
            grow();
        }
        ring[at(size++)] = sequence;
    }

    /** Puts a sequence before all that arrived after it. */
    void addInOrder(Sequence sequence) {
        addLast(sequence);
        int i = size - 1;
        while (i > 0 && get(i - 1).order > sequence.order) {
            ring[at(i)] = get(i - 1);
            i--;
        }
        ring[at(i)] = sequence;
    }

    void removeAt(int index) {
        for (int i = index; i > 0; i--) {
            ring[at(i)] = ring[at(i - 1)];
        }
        ring[head] = null;
        head = at(1);
        size--;
    }

    /** Removes a sequence if it waits here. */
    boolean remove(Sequence sequence) {
        for (int i = 0; i < size; i++) {
            if (get(i) == sequence) {
                removeAt(i);
                return true;
            }
        }
        return false;
    }

    private int at(int index) {
        return (head + index) & (ring.length - 1);
    }

    private void grow() {
        @Nullable Sequence[] larger = Arrays.copyOf(ring, ring.length * 2);
        for (int i = 0; i < size; i++) {
            larger[i] = ring[at(i)];
        }
        Arrays.fill(larger, size, larger.length, null);
        ring = larger;
        head = 0;
    }
}
