package io.cortado.constrain;

import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The bytes since the outermost open capture began, interned: equal bytes are the same object, so
 * two tapes that are the same began at the same place.
 */
final class Tape {
    private static final int NODE_BYTES = 120;

    final int length;
    final int id;
    private final @Nullable Tape before;
    private final int value;
    private final Footprint footprint;
    private final int[] lastId;
    private final Map<Integer, Tape> longer = new HashMap<>(2);

    private Tape(@Nullable Tape before, int value, Footprint footprint, int[] lastId) {
        this.before = before;
        this.value = value;
        this.footprint = footprint;
        this.lastId = lastId;
        length = before == null ? 0 : before.length + 1;
        id = lastId[0]++;
    }

    static Tape empty(Footprint footprint) {
        return new Tape(null, 0, footprint, new int[1]);
    }

    @Override
    public int hashCode() {
        return id * 0x9E37_79B9;
    }

    Tape append(int next) {
        return longer.computeIfAbsent(
                next,
                unused -> {
                    footprint.add(NODE_BYTES);
                    return new Tape(this, next, footprint, lastId);
                });
    }

    /** The bytes after the first {@code start}. */
    byte[] since(int start) {
        var bytes = new byte[length - start];
        Tape tape = this;
        for (int i = bytes.length - 1; i >= 0 && tape != null; i--) {
            bytes[i] = (byte) tape.value;
            tape = tape.before;
        }
        return bytes;
    }
}
