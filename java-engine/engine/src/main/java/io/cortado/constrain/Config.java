package io.cortado.constrain;

import org.jspecify.annotations.Nullable;

/**
 * All that the bytes so far may mean: pairs of a row and a lexer state within it. The state of a
 * request, interned in its {@link Space}.
 */
final class Config {
    /** A lexeme under way that began in {@code row}. */
    record Thread(Row row, LexState lex, @Nullable Tape tape) {}

    final Space space;
    final Thread[] threads;

    /** Rows that begin here and name tokens by id. */
    final Row[] tokenRows;

    final boolean isAccepting;

    /** By byte; null where not computed yet. */
    private volatile @Nullable Config @Nullable [] next;

    volatile @Nullable TokenMask mask;

    Config(Space space, Thread[] threads, Row[] tokenRows, boolean isAccepting) {
        this.space = space;
        this.threads = threads;
        this.tokenRows = tokenRows;
        this.isAccepting = isAccepting;
    }

    boolean isDead() {
        return threads.length == 0 && tokenRows.length == 0 && !isAccepting;
    }

    /** The configuration after a byte, if it is known. */
    @Nullable Config known(int value) {
        @Nullable Config[] array = next;
        return array == null ? null : array[value];
    }

    /** Under the lock of the space. */
    void remember(int value, Config after) {
        @Nullable Config[] array = next;
        if (array == null) {
            array = new Config[256];
            array[value] = after;
            next = array;
        } else {
            array[value] = after;
        }
    }
}
