package io.cortado.kv;

/**
 * Hears which full blocks can be found by their keys from now on, and which cannot any more: as a
 * router that wants to know who holds which prefix. Called on the cache's thread, in the order in
 * which it happens; must neither block nor throw.
 */
public interface BlockListener {
    /** Where a block's content is. */
    enum Tier {
        DEVICE,
        HOST
    }

    /**
     * @param parentHigh key of the block before it, or of the sequence's root
     * @param parentLow the same
     * @param tokens holds the block's {@link BlockPool#BLOCK_TOKENS} tokens from {@code first} on;
     *     read only, and only until this returns
     */
    void stored(
            Tier tier,
            long high,
            long low,
            long parentHigh,
            long parentLow,
            int[] tokens,
            int first);

    /** Its content has gone from this tier. */
    void removed(Tier tier, long high, long low);

    /** All of it has gone, from all tiers. */
    void cleared();
}
