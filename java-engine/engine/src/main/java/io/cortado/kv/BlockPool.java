package io.cortado.kv;

/**
 * The free blocks of a KV cache. Takes and gives back in O(1), last in first out, so that a block
 * that is warm in the caches is used again first. For one thread.
 */
public final class BlockPool {
    /** Tokens in a block. */
    public static final int BLOCK_TOKENS = 16;

    private final int[] free;
    private final boolean[] taken;
    private int available;
    private long lastStamp;

    public BlockPool(int numBlocks) {
        if (numBlocks < 1) {
            throw new IllegalArgumentException(
                    "numBlocks must be at least 1: numBlocks=" + numBlocks);
        }
        free = new int[numBlocks];
        taken = new boolean[numBlocks];
        available = numBlocks;
        for (int i = 0; i < numBlocks; i++) {
            free[i] = numBlocks - 1 - i;
        }
    }

    /** Blocks that hold so many tokens. */
    public static int blocksFor(int tokens) {
        return (tokens + BLOCK_TOKENS - 1) / BLOCK_TOKENS;
    }

    public int total() {
        return free.length;
    }

    public int available() {
        return available;
    }

    public int used() {
        return free.length - available;
    }

    /** A new number, at least 1, for blocks that a table takes from here on. */
    long nextStamp() {
        return ++lastStamp;
    }

    /** Takes a block; the caller has made sure that one is available. */
    public int take() {
        if (available == 0) {
            throw new IllegalStateException("no free block: total=" + free.length);
        }
        int block = free[--available];
        taken[block] = true;
        return block;
    }

    /** Gives a taken block back. */
    public void giveBack(int block) {
        if (block < 0 || block >= free.length || !taken[block]) {
            throw new IllegalStateException(
                    "block is not taken: block=" + block + " total=" + free.length);
        }
        taken[block] = false;
        free[available++] = block;
    }

    /** Fails unless each block is either free once or taken. O(total): for tests. */
    public void check() {
        boolean[] seen = new boolean[free.length];
        for (int i = 0; i < available; i++) {
            int block = free[i];
            if (seen[block] || taken[block]) {
                throw new IllegalStateException("free block is taken or free twice: " + block);
            }
            seen[block] = true;
        }
        for (int block = 0; block < free.length; block++) {
            if (!seen[block] && !taken[block]) {
                throw new IllegalStateException("block is neither free nor taken: " + block);
            }
        }
    }
}
