package io.cortado.kv;

import org.jspecify.annotations.Nullable;

/**
 * The blocks of a KV cache and what they hold. A block is blank, or in use by one or more owners,
 * or kept: nobody uses it, but its key says what it holds. Kept blocks are taken again when no
 * blank one is left, the one first that was given back longest ago; since a sequence gives its last
 * block back first, no block goes before those that continue it. Take, share, give back, find and
 * evict are O(1). For one thread.
 */
public final class BlockPool {
    /** Tokens in a block. */
    public static final int BLOCK_TOKENS = 16;

    private final int[] owners;
    private final int[] blank;
    private int numBlank;
    private int leastBlank;

    // The kept blocks in the order in which they were given back, a ring through place `total`.
    private final int[] next;
    private final int[] previous;
    private int numKept;

    private final PrefixIndex index;
    private final @Nullable Eviction eviction;
    private long lastStamp;
    private long evictions;

    /** Hears of a kept block whose content is about to go. */
    @FunctionalInterface
    interface Eviction {
        void evict(PrefixIndex index, int block);
    }

    public BlockPool(int numBlocks) {
        this(numBlocks, null);
    }

    BlockPool(int numBlocks, @Nullable Eviction eviction) {
        if (numBlocks < 1) {
            throw new IllegalArgumentException(
                    "numBlocks must be at least 1: numBlocks=" + numBlocks);
        }
        this.eviction = eviction;
        index = new PrefixIndex(numBlocks);
        owners = new int[numBlocks];
        blank = new int[numBlocks];
        numBlank = numBlocks;
        leastBlank = numBlocks;
        for (int i = 0; i < numBlocks; i++) {
            blank[i] = numBlocks - 1 - i;
        }
        next = new int[numBlocks + 1];
        previous = new int[numBlocks + 1];
        next[numBlocks] = numBlocks;
        previous[numBlocks] = numBlocks;
    }

    /** Blocks that hold so many tokens. */
    public static int blocksFor(int tokens) {
        return (tokens + BLOCK_TOKENS - 1) / BLOCK_TOKENS;
    }

    public int total() {
        return owners.length;
    }

    /** Blocks that can be taken: blank and kept ones. */
    public int available() {
        return numBlank + numKept;
    }

    public int used() {
        return owners.length - available();
    }

    /** Blocks that were ever taken: those with the lowest numbers. */
    public int everTaken() {
        return owners.length - leastBlank;
    }

    /** Blocks that nobody uses and that still hold what their keys say. */
    public int kept() {
        return numKept;
    }

    /** Blocks that hold nothing. */
    int blank() {
        return numBlank;
    }

    /** The kept block that is evicted first; {@link #total} if there is none. */
    int firstKept() {
        return next[owners.length];
    }

    /** The one that is evicted after it; {@link #total} after the last. */
    int keptAfter(int block) {
        return next[block];
    }

    /** Kept blocks that were taken for other content, since the start. */
    public long evictions() {
        return evictions;
    }

    /** Those who hold a block. */
    public int owners(int block) {
        return owners[block];
    }

    PrefixIndex index() {
        return index;
    }

    /** A new number, at least 1, for blocks that a table takes from here on. */
    long nextStamp() {
        return ++lastStamp;
    }

    /** Takes a block; the caller has made sure that one is available. */
    public int take() {
        int block = numBlank > 0 ? blank[--numBlank] : evict();
        leastBlank = Math.min(leastBlank, numBlank);
        owners[block] = 1;
        return block;
    }

    private int evict() {
        if (numKept == 0) {
            throw new IllegalStateException("no free block: total=" + owners.length);
        }
        int block = next[owners.length];
        unlink(block);
        evictions++;
        if (eviction != null) {
            eviction.evict(index, block);
        }
        index.remove(block);
        return block;
    }

    /** One more owner of a block that is in use or kept. */
    void share(int block) {
        if (owners[block] == 0) {
            unlink(block);
        }
        owners[block]++;
    }

    /** An owner gives a block back. */
    public void giveBack(int block) {
        giveBack(block, previous[owners.length]);
    }

    /** The same; if nobody uses it any more, it is evicted first. */
    void giveBackFirst(int block) {
        giveBack(block, owners.length);
    }

    private void giveBack(int block, int before) {
        if (block < 0 || block >= owners.length || owners[block] == 0) {
            throw new IllegalStateException(
                    "block is not taken: block=" + block + " total=" + owners.length);
        }
        if (--owners[block] > 0) {
            return;
        }
        if (index.isKeyed(block)) {
            keep(block, before);
        } else {
            blank[numBlank++] = block;
        }
    }

    /** Forgets what nobody uses; what is in use stays. */
    public void forget() {
        while (numKept > 0) {
            int block = next[owners.length];
            unlink(block);
            index.remove(block);
            blank[numBlank++] = block;
        }
    }

    /** Into the ring behind another place. */
    private void keep(int block, int before) {
        int after = next[before];
        next[before] = block;
        previous[block] = before;
        next[block] = after;
        previous[after] = block;
        numKept++;
    }

    private void unlink(int block) {
        next[previous[block]] = next[block];
        previous[next[block]] = previous[block];
        numKept--;
    }

    /** Fails unless each block is in exactly one state. O(total): for tests. */
    public void check() {
        boolean[] seen = new boolean[owners.length];
        for (int i = 0; i < numBlank; i++) {
            see(seen, blank[i], index.isKeyed(blank[i]));
        }
        int count = 0;
        for (int b = next[owners.length]; b != owners.length; b = next[b]) {
            see(seen, b, !index.isKeyed(b));
            count++;
        }
        int keyed = 0;
        for (int block = 0; block < owners.length; block++) {
            if (!seen[block] && owners[block] == 0) {
                throw new IllegalStateException("block is in no state: " + block);
            }
            keyed += index.isKeyed(block) ? 1 : 0;
            if (index.isKeyed(block) && index.find(index.high(block), index.low(block)) != block) {
                throw new IllegalStateException("the index does not find block " + block);
            }
        }
        if (count != numKept || keyed != index.size()) {
            throw new IllegalStateException(
                    "counts differ: kept=%d listed=%d keyed=%d indexed=%d"
                            .formatted(numKept, count, keyed, index.size()));
        }
    }

    private void see(boolean[] seen, int block, boolean wrongKey) {
        if (seen[block] || owners[block] > 0 || wrongKey) {
            throw new IllegalStateException("block is in two states: " + block);
        }
        seen[block] = true;
    }
}
