package io.cortado.kv;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Which block holds which tokens: by key for whole blocks, and by the key of the block before and
 * the tokens for parts of a block. Open addressing with linear probing, deletion by moving entries
 * back; all arrays are made at the start.
 */
final class PrefixIndex {
    private static final int TOKENS = BlockPool.BLOCK_TOKENS;
    private static final int NONE = -1;

    /** Blocks looked at for a part, so that many different ends of one prefix cost no more. */
    private static final int MAX_SIBLINGS = 8;

    private final int mask;

    // By place: a block, by its own key or, the first of its siblings, by its parent's.
    private final int[] byKey;
    private final int[] byParent;

    // By block.
    private final boolean[] keyed;
    private final long[] high;
    private final long[] low;
    private final long[] parentHigh;
    private final long[] parentLow;
    private final int[] older;
    private final int[] newer;
    private final int[] tokens;
    private int size;
    private long entered;
    private @Nullable BlockListener listener;
    private BlockListener.Tier tier = BlockListener.Tier.DEVICE;

    PrefixIndex(int numBlocks) {
        int places = Integer.highestOneBit(Math.max(4, numBlocks * 2 - 1)) * 2;
        mask = places - 1;
        byKey = new int[places];
        byParent = new int[places];
        Arrays.fill(byKey, NONE);
        Arrays.fill(byParent, NONE);
        keyed = new boolean[numBlocks];
        high = new long[numBlocks];
        low = new long[numBlocks];
        parentHigh = new long[numBlocks];
        parentLow = new long[numBlocks];
        older = new int[numBlocks];
        newer = new int[numBlocks];
        tokens = new int[numBlocks * TOKENS];
    }

    /** Who hears of keys that come and go from now on; null: nobody. */
    void listen(@Nullable BlockListener heard, BlockListener.Tier of) {
        listener = heard;
        tier = of;
    }

    /** Tells a listener all that is here. */
    void tell() {
        for (int block = 0; block < keyed.length; block++) {
            if (keyed[block]) {
                tellStored(block);
            }
        }
    }

    private void tellStored(int block) {
        if (listener != null) {
            listener.stored(
                    tier,
                    high[block],
                    low[block],
                    parentHigh[block],
                    parentLow[block],
                    tokens,
                    block * TOKENS);
        }
    }

    /** Blocks that have a key. */
    int size() {
        return size;
    }

    /** Blocks that were ever given a key. */
    long entered() {
        return entered;
    }

    boolean isKeyed(int block) {
        return keyed[block];
    }

    long high(int block) {
        return high[block];
    }

    long low(int block) {
        return low[block];
    }

    /** The block of this key; {@link #isFound} tells whether there is one. */
    int find(long keyHigh, long keyLow) {
        int at = place(keyLow);
        while (byKey[at] != NONE) {
            int block = byKey[at];
            if (low[block] == keyLow && high[block] == keyHigh) {
                return block;
            }
            at = (at + 1) & mask;
        }
        return NONE;
    }

    static boolean isFound(int block) {
        return block != NONE;
    }

    /** Gives a block the index-th key; false if another block has it already. */
    boolean put(int block, BlockKeys keys, int index, TokenSource source) {
        if (keyed[block] || isFound(find(keys.high(index), keys.low(index)))) {
            return false;
        }
        for (int i = 0; i < TOKENS; i++) {
            tokens[block * TOKENS + i] = source.token(index * TOKENS + i);
        }
        parentHigh[block] = keys.high(index - 1);
        parentLow[block] = keys.low(index - 1);
        enter(block, keys.high(index), keys.low(index));
        return true;
    }

    /** The block's content is to go, or to be another. */
    void remove(int block) {
        keyed[block] = false;
        size--;
        delete(byKey, placeOf(byKey, low[block], block), low);
        unlink(block);
        if (listener != null) {
            listener.removed(tier, high[block], low[block]);
        }
    }

    /** Another index's entry of the same content, for a copy of the block. */
    boolean putCopy(int block, PrefixIndex from, int original) {
        if (keyed[block] || isFound(find(from.high[original], from.low[original]))) {
            return false;
        }
        System.arraycopy(from.tokens, original * TOKENS, tokens, block * TOKENS, TOKENS);
        parentHigh[block] = from.parentHigh[original];
        parentLow[block] = from.parentLow[original];
        enter(block, from.high[original], from.low[original]);
        return true;
    }

    private void enter(int block, long keyHigh, long keyLow) {
        keyed[block] = true;
        size++;
        entered++;
        high[block] = keyHigh;
        low[block] = keyLow;
        insert(byKey, keyLow, block);
        link(block);
        tellStored(block);
    }

    /**
     * The block after the first so many blocks of a chain that begins with most of the tokens from
     * there on; null if none begins with even one.
     *
     * @param wanted tokens from there on that may be used
     */
    @Nullable Part longestPart(BlockKeys keys, int blocks, TokenSource source, int wanted) {
        int best = NONE;
        int bestCount = 0;
        int sibling = firstSibling(keys.high(blocks - 1), keys.low(blocks - 1));
        for (int looks = 0; sibling != NONE && looks < MAX_SIBLINGS; looks++) {
            int count = common(sibling, source, blocks * TOKENS, Math.min(wanted, TOKENS));
            if (count > bestCount) {
                best = sibling;
                bestCount = count;
            }
            sibling = older[sibling];
        }
        return bestCount == 0 ? null : new Part(best, bestCount);
    }

    /** The first tokens of a block. */
    record Part(int block, int tokens) {}

    private int common(int block, TokenSource source, int first, int most) {
        int count = 0;
        while (count < most && tokens[block * TOKENS + count] == source.token(first + count)) {
            count++;
        }
        return count;
    }

    private int firstSibling(long keyHigh, long keyLow) {
        int at = place(keyLow);
        while (byParent[at] != NONE) {
            int block = byParent[at];
            if (parentLow[block] == keyLow && parentHigh[block] == keyHigh) {
                return block;
            }
            at = (at + 1) & mask;
        }
        return NONE;
    }

    /** Newest first. */
    private void link(int block) {
        int first = firstSibling(parentHigh[block], parentLow[block]);
        newer[block] = NONE;
        older[block] = first;
        if (first == NONE) {
            insert(byParent, parentLow[block], block);
        } else {
            newer[first] = block;
            byParent[placeOf(byParent, parentLow[block], first)] = block;
        }
    }

    private void unlink(int block) {
        if (older[block] != NONE) {
            newer[older[block]] = newer[block];
        }
        if (newer[block] != NONE) {
            older[newer[block]] = older[block];
            return;
        }
        int at = placeOf(byParent, parentLow[block], block);
        if (older[block] != NONE) {
            byParent[at] = older[block];
        } else {
            delete(byParent, at, parentLow);
        }
    }

    /** Keys are bits of SHA-256: any of them spread evenly. */
    private int place(long keyLow) {
        return (int) keyLow & mask;
    }

    private void insert(int[] table, long keyLow, int block) {
        int at = place(keyLow);
        while (table[at] != NONE) {
            at = (at + 1) & mask;
        }
        table[at] = block;
    }

    private int placeOf(int[] table, long keyLow, int block) {
        int at = place(keyLow);
        while (table[at] != block) {
            if (table[at] == NONE) {
                throw new IllegalStateException("block is not in the index: block=" + block);
            }
            at = (at + 1) & mask;
        }
        return at;
    }

    /** Empties a place and moves back what probing would not find any more (Knuth 6.4, R). */
    private void delete(int[] table, int place, long[] lowOf) {
        int hole = place;
        int at = place;
        while (true) {
            table[hole] = NONE;
            int home;
            do {
                at = (at + 1) & mask;
                if (table[at] == NONE) {
                    return;
                }
                home = place(lowOf[table[at]]);
            } while (isBetween(hole, home, at));
            table[hole] = table[at];
            hole = at;
        }
    }

    /** True if home lies in (hole, at], around the end: then the entry may stay where it is. */
    private static boolean isBetween(int hole, int home, int at) {
        return hole <= at ? hole < home && home <= at : hole < home || home <= at;
    }
}
