package io.cortado.text;

import java.util.Arrays;

/** A growing array of ints. */
final class IntList {
    private int[] items = new int[16];
    private int size;

    void add(int item) {
        if (size == items.length) {
            items = Arrays.copyOf(items, size * 2);
        }
        items[size++] = item;
    }

    void addAll(int[] more) {
        if (size + more.length > items.length) {
            items = Arrays.copyOf(items, Math.max(size + more.length, size * 2));
        }
        System.arraycopy(more, 0, items, size, more.length);
        size += more.length;
    }

    int at(int index) {
        return items[index];
    }

    void set(int index, int item) {
        items[index] = item;
    }

    int removeLast() {
        return items[--size];
    }

    void clear() {
        size = 0;
    }

    int size() {
        return size;
    }

    int[] toArray() {
        return Arrays.copyOf(items, size);
    }
}
