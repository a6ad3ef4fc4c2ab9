package io.cortado.kv;

/**
 * The cache's own operations, each so many times over. In the cache's package, since its index is
 * private to it: benchmarks run on the class path.
 */
public final class KvBed {
    private static final int BLOCKS_PER_REQUEST = 64;

    /** Has no factor in common with the size of a pool: each block comes once. */
    private static final int STRIDE = 7919;

    private final BlockHasher hasher = new BlockHasher();
    private final KvCache cache;
    private int nextToken;

    /**
     * @param kept blocks of the pool, all of which are kept: each that is taken evicts another
     */
    public KvBed(int kept) {
        cache = new KvCache(kept);
        while (cache.pool().kept() < kept) {
            request(Math.min(BLOCKS_PER_REQUEST, kept - cache.pool().kept()));
        }
    }

    /** Takes all blocks of a pool and gives them back in another order; nothing is keyed. */
    public static void allocateAndFreeAll(BlockPool blank, int[] taken) {
        int n = blank.total();
        for (int i = 0; i < n; i++) {
            taken[i] = blank.take();
        }
        int at = 0;
        for (int i = 0; i < n; i++) {
            blank.giveBack(taken[at]);
            at = at + STRIDE < n ? at + STRIDE : at + STRIDE - n;
        }
    }

    /** Finds the blocks of keys in turn, so many times; how many were found. */
    public long find(BlockKeys keys, int times) {
        PrefixIndex index = cache.pool().index();
        long found = 0;
        int at = 0;
        for (int i = 0; i < times; i++) {
            found += PrefixIndex.isFound(index.find(keys.high(at), keys.low(at))) ? 1 : 0;
            at = at + 1 == keys.size() ? 0 : at + 1;
        }
        return found;
    }

    /** Makes the keys of a prompt, as the door does. */
    public BlockKeys hash(int[] prompt) {
        BlockKeys keys = hasher.start(BlockPool.blocksFor(prompt.length), "bench");
        hasher.extend(keys, position -> prompt[position], prompt.length);
        return keys;
    }

    /** Admits a prompt and lets it go; the tokens that were found. */
    public int admit(int[] prompt, BlockKeys keys) {
        BlockTable table = new BlockTable(prompt.length);
        KvCache.Admission admission =
                cache.admit(
                        table,
                        keys,
                        position -> prompt[position],
                        prompt.length,
                        prompt.length - 1,
                        0);
        if (admission == null) {
            throw new IllegalStateException("no room for blocks=" + keys.size());
        }
        cache.commit();
        cache.offer(table, keys, position -> prompt[position], prompt.length);
        table.release(cache.pool());
        return admission.reused();
    }

    /** A prompt of so many blocks that nobody has seen, and its keys. */
    private void request(int blocks) {
        int[] prompt = freshPrompt(blocks);
        admit(prompt, hash(prompt));
    }

    /** Tokens that no other prompt of this bed begins with. */
    public int[] freshPrompt(int blocks) {
        int[] prompt = new int[blocks * BlockPool.BLOCK_TOKENS];
        for (int i = 0; i < prompt.length; i++) {
            prompt[i] = nextToken++;
        }
        return prompt;
    }

    /** Blocks that had to go since the start. */
    public long evictions() {
        return cache.pool().evictions();
    }
}
