package io.cortado.engine;

/** The numbers below a limit that nobody has, as a stack. */
final class FreeNumbers {
    private final int[] free;
    private int count;

    FreeNumbers(int limit) {
        free = new int[limit];
        while (count < limit) {
            free[count] = count++;
        }
    }

    boolean isEmpty() {
        return count == 0;
    }

    int take() {
        return free[--count];
    }

    void giveBack(int number) {
        free[count++] = number;
    }
}
