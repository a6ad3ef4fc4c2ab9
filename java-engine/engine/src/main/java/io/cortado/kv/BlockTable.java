package io.cortado.kv;

import java.util.Arrays;

/**
 * The blocks of one sequence, in the order of its tokens. Grows up to a size fixed at the start.
 */
public final class BlockTable {
    private final int[] blocks;
    private int size;
    private int offered;
    private long stamp;

    /**
     * @param maxTokens the most tokens that will ever be held
     */
    public BlockTable(int maxTokens) {
        blocks = new int[BlockPool.blocksFor(maxTokens)];
    }

    public int size() {
        return size;
    }

    /** Blocks that it would have to take to hold so many tokens. */
    public int missingFor(int tokens) {
        return Math.max(0, BlockPool.blocksFor(tokens) - size);
    }

    /** Takes what is missing for so many tokens: all of it, or nothing and false. */
    public boolean grow(BlockPool pool, int tokens) {
        int missing = missingFor(tokens);
        if (missing > pool.available()) {
            return false;
        }
        while (missing-- > 0) {
            append(pool, pool.take());
        }
        return true;
    }

    /** Adds a block that the caller has taken or shared. */
    void append(BlockPool pool, int block) {
        if (size == 0) {
            stamp = pool.nextStamp();
        }
        blocks[size++] = block;
    }

    /** Puts a block in the place of another, which it returns. */
    int replace(int index, int block) {
        int before = block(index);
        blocks[index] = block;
        return before;
    }

    /** Not only at its end. */
    void changed(BlockPool pool) {
        stamp = pool.nextStamp();
    }

    /** Blocks from the first on that others may share, or whose content another block has. */
    int offered() {
        return offered;
    }

    void offered(int count) {
        offered = count;
    }

    /** Gives all blocks back, the last one first; again is harmless. */
    public void release(BlockPool pool) {
        offered = 0;
        while (size > 0) {
            pool.giveBack(blocks[--size]);
        }
    }

    public int block(int index) {
        if (index >= size) {
            throw new IndexOutOfBoundsException("index=" + index + " size=" + size);
        }
        return blocks[index];
    }

    /** Where a token's keys and values lie: block * BLOCK_TOKENS + place in the block. */
    public long slot(int token) {
        return (long) block(token / BlockPool.BLOCK_TOKENS) * BlockPool.BLOCK_TOKENS
                + token % BlockPool.BLOCK_TOKENS;
    }

    /**
     * A number of these blocks alone in their pool, at least 1: while it stays the same, blocks are
     * only added at the end.
     */
    public long stamp() {
        return stamp;
    }

    /** The array behind {@link #block}; the first {@link #size} entries count. Read only. */
    public int[] array() {
        return blocks;
    }

    /** A copy of the blocks, for tests. */
    public int[] toArray() {
        return Arrays.copyOf(blocks, size);
    }
}
