package io.cortado.kv;

/**
 * The blocks of a text that begins as a sequence's does and parts from it at some token: the blocks
 * before it are the sequence's, those from there on its own. The sequence keeps its own for as long
 * as this holds any.
 */
public final class BlockFork {
    private final int[] blocks;
    private int first;
    private int size;

    /**
     * @param maxTokens the most tokens behind those that it has in common with the sequence
     */
    public BlockFork(int maxTokens) {
        blocks = new int[BlockPool.blocksFor(BlockPool.BLOCK_TOKENS - 1 + maxTokens)];
    }

    /**
     * Takes blocks for tokens [from, end): all, or none and false.
     *
     * @param spare blocks to leave free
     */
    public boolean take(BlockPool pool, int from, int end, int spare) {
        release(pool);
        int start = from / BlockPool.BLOCK_TOKENS;
        int count = BlockPool.blocksFor(end) - start;
        if (count > pool.available() - spare) {
            return false;
        }
        first = start;
        while (size < count) {
            blocks[size++] = pool.take();
        }
        return true;
    }

    /** Gives its own blocks back; again is harmless. */
    public void release(BlockPool pool) {
        while (size > 0) {
            pool.giveBack(blocks[--size]);
        }
    }

    /** Blocks of the sequence's that come before its own. */
    public int first() {
        return first;
    }

    /** Its own blocks. */
    public int size() {
        return size;
    }

    /** The index-th of its own blocks. */
    public int block(int index) {
        if (index >= size) {
            throw new IndexOutOfBoundsException("index=" + index + " size=" + size);
        }
        return blocks[index];
    }

    /** Where the keys and values of one of its own tokens lie. */
    public long slot(int token) {
        return (long) block(token / BlockPool.BLOCK_TOKENS - first) * BlockPool.BLOCK_TOKENS
                + token % BlockPool.BLOCK_TOKENS;
    }

    /** The array behind {@link #block}; the first {@link #size} entries count. Read only. */
    public int[] array() {
        return blocks;
    }

    /** The sequence goes on in these blocks, and its own of the same places come here. */
    public void swap(BlockTable table, BlockPool pool) {
        for (int i = 0; i < size; i++) {
            blocks[i] = table.replace(first + i, blocks[i]);
        }
        table.changed(pool);
    }
}
