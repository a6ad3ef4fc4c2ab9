package io.cortado.constrain;

import java.util.Arrays;

/** A set of token ids: a list where it is small, a bit row otherwise. Immutable. */
final class TokenMask {
    /** The most tokens that are kept as a list. */
    static final int MAX_LIST = 256;

    private final int[] data;
    private final boolean isList;

    private TokenMask(int[] data, boolean isList) {
        this.data = data;
        this.isList = isList;
    }

    static TokenMask of(int[] bits) {
        int count = 0;
        for (int word : bits) {
            count += Integer.bitCount(word);
        }
        if (count > MAX_LIST) {
            return new TokenMask(bits.clone(), false);
        }
        var ids = new int[count];
        int n = 0;
        for (int w = 0; w < bits.length; w++) {
            for (int rest = bits[w]; rest != 0; rest &= rest - 1) {
                ids[n++] = w * 32 + Integer.numberOfTrailingZeros(rest);
            }
        }
        return new TokenMask(ids, true);
    }

    /** Of at most {@link #MAX_LIST} tokens, in any order. */
    static TokenMask of(int[] ids, int count) {
        return new TokenMask(Arrays.copyOf(ids, count), true);
    }

    /** Adds its tokens to a bit row. */
    void orInto(int[] bits) {
        if (isList) {
            for (int id : data) {
                bits[id >> 5] |= 1 << id;
            }
        } else {
            for (int w = 0; w < data.length; w++) {
                bits[w] |= data[w];
            }
        }
    }

    /** Makes a bit row this set. */
    void copyTo(int[] bits) {
        if (isList) {
            Arrays.fill(bits, 0);
            orInto(bits);
        } else {
            System.arraycopy(data, 0, bits, 0, data.length);
        }
    }

    boolean isEmpty() {
        return isList && data.length == 0;
    }

    /** Its one token; -1 where it has more, or none. */
    int only() {
        return isList && data.length == 1 ? data[0] : -1;
    }

    long sizeBytes() {
        return 4L * data.length + 48;
    }
}
