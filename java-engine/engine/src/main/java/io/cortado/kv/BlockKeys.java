package io.cortado.kv;

import java.util.Arrays;

/**
 * The keys of a sequence's full blocks, in order: each is 128 bits of a SHA-256 chain over the key
 * before it and the block's 16 tokens, so equal keys mean equal tokens from the first one on. Each
 * block is hashed once in a sequence's life.
 */
public final class BlockKeys {
    private final byte[] digest;
    private long[] keys;
    private int size;

    private BlockKeys(byte[] digest, long[] keys, int size) {
        this.digest = digest;
        this.keys = keys;
        this.size = size;
    }

    /** No block yet. Keys of different roots never meet. */
    static BlockKeys of(byte[] root, int expectedBlocks) {
        long[] keys = new long[2 * (1 + expectedBlocks)];
        BlockKeys chain = new BlockKeys(root.clone(), keys, -1);
        chain.append();
        return chain;
    }

    /** The same keys, to be continued separately. */
    public BlockKeys fork() {
        return new BlockKeys(digest.clone(), keys.clone(), size);
    }

    /** Whether a key is that of the root, which is before the first block. */
    public boolean isRoot(long high, long low) {
        return keys[0] == high && keys[1] == low;
    }

    /** Full blocks that have a key. */
    public int size() {
        return size;
    }

    /** The block before block 0 is the root. */
    long high(int block) {
        return keys[2 * (block + 1)];
    }

    long low(int block) {
        return keys[2 * (block + 1) + 1];
    }

    byte[] digest() {
        return digest;
    }

    /** {@link #digest} is that of the next block. */
    void append() {
        int at = 2 * (++size);
        if (at == keys.length) {
            keys = Arrays.copyOf(keys, 2 * keys.length);
        }
        keys[at] = BlockHasher.longAt(digest, 0);
        keys[at + 1] = BlockHasher.longAt(digest, Long.BYTES);
    }
}
