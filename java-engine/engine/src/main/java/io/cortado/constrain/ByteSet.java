package io.cortado.constrain;

/** A set of byte values, as four words of 64 bits. */
public record ByteSet(long word0, long word1, long word2, long word3) {
    public static final ByteSet NONE = new ByteSet(0, 0, 0, 0);
    public static final ByteSet ALL = new ByteSet(-1, -1, -1, -1);

    /** The bytes from {@code low} to {@code high}, both included. */
    public static ByteSet range(int low, int high) {
        if (low < 0 || high > 255 || low > high) {
            throw new IllegalArgumentException(
                    "bytes must be 0 <= low <= high <= 255: low=" + low + " high=" + high);
        }
        return new ByteSet(
                word(low, high, 0),
                word(low, high, 64),
                word(low, high, 128),
                word(low, high, 192));
    }

    public static ByteSet of(int value) {
        return range(value, value);
    }

    private static long word(int low, int high, int from) {
        int first = Math.max(low - from, 0);
        int last = Math.min(high - from, 63);
        return first > last ? 0 : (-1L >>> (63 - (last - first))) << first;
    }

    public boolean contains(int value) {
        long word =
                switch (value >> 6) {
                    case 0 -> word0;
                    case 1 -> word1;
                    case 2 -> word2;
                    default -> word3;
                };
        return (word >>> value & 1) != 0;
    }

    public ByteSet or(ByteSet other) {
        return new ByteSet(
                word0 | other.word0, word1 | other.word1, word2 | other.word2, word3 | other.word3);
    }

    public ByteSet and(ByteSet other) {
        return new ByteSet(
                word0 & other.word0, word1 & other.word1, word2 & other.word2, word3 & other.word3);
    }

    public ByteSet not() {
        return new ByteSet(~word0, ~word1, ~word2, ~word3);
    }

    public boolean isEmpty() {
        return (word0 | word1 | word2 | word3) == 0;
    }

    /** The lowest byte at or above {@code from}, or 256. */
    public int next(int from) {
        for (int value = from; value < 256; value = (value | 63) + 1) {
            long rest = word(value >> 6) >>> value;
            if (rest != 0) {
                return value + Long.numberOfTrailingZeros(rest);
            }
        }
        return 256;
    }

    /** The lowest byte at or above {@code from} that is not in it, or 256. */
    int nextMissing(int from) {
        for (int value = from; value < 256; value = (value | 63) + 1) {
            long missing = ~word(value >> 6) >>> value;
            if (missing != 0) {
                return value + Long.numberOfTrailingZeros(missing);
            }
        }
        return 256;
    }

    private long word(int index) {
        return switch (index) {
            case 0 -> word0;
            case 1 -> word1;
            case 2 -> word2;
            default -> word3;
        };
    }
}
