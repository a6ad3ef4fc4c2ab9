package io.cortado.constrain;

import java.util.Arrays;
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

    private static final int FEW = 6;
    private static final int STEP_BYTES = 24;
    private static final int TABLE_BYTES = 1_040;

    /** The few bytes that most states are left by, and where each leads; replaced as a whole. */
    private record Steps(byte[] values, Config[] to) {
        static final Steps NONE = new Steps(new byte[0], new Config[0]);

        @Nullable Config after(int value) {
            for (int i = 0; i < values.length; i++) {
                if (values[i] == (byte) value) {
                    return to[i];
                }
            }
            return null;
        }

        Steps and(int value, Config after) {
            byte[] longer = Arrays.copyOf(values, values.length + 1);
            Config[] more = Arrays.copyOf(to, to.length + 1);
            longer[values.length] = (byte) value;
            more[to.length] = after;
            return new Steps(longer, more);
        }
    }

    private volatile Steps few = Steps.NONE;

    /** By byte, once there are more; null where not computed yet. */
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
        return array == null ? few.after(value) : array[value];
    }

    /** Under the lock of the space; returns an estimate of the bytes that it takes more. */
    int remember(int value, Config after) {
        @Nullable Config[] array = next;
        if (array != null) {
            array[value] = after;
            return 0;
        }
        Steps known = few;
        if (known.values.length < FEW) {
            few = known.and(value, after);
            return STEP_BYTES;
        }
        array = new Config[256];
        for (int i = 0; i < FEW; i++) {
            array[known.values[i] & 0xFF] = known.to[i];
        }
        array[value] = after;
        next = array;
        return TABLE_BYTES;
    }
}
