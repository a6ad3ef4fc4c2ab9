package io.cortado.api;

import org.jspecify.annotations.Nullable;

/** A change of what an engine's prefix cache holds, in full blocks. */
public sealed interface KvEvent {
    /** Its number: events count from 0 since the engine's start, without a gap. */
    long number();

    /**
     * 128 bits that name a block's tokens and all before them. Equal on engines that run a model of
     * the same name.
     */
    record BlockKey(long high, long low) {
        /** 32 hexadecimal digits. */
        @Override
        public String toString() {
            return "%016x%016x".formatted(high, low);
        }
    }

    /** Where a block's content is. */
    enum Tier {
        /** The memory of the device. */
        DEVICE,

        /** Host memory, from where blocks come back when they are wanted. */
        HOST
    }

    /**
     * A block can be used again by requests that begin as it does.
     *
     * @param parent the block before it; null: it is the first of a prompt. Where requests do not
     *     share with all others (a cache salt), the first one has a parent that nobody stores
     * @param tokens its ids: not to be written
     */
    record Stored(long number, BlockKey block, @Nullable BlockKey parent, int[] tokens, Tier tier)
            implements KvEvent {}

    /** A block's content has gone from a tier. */
    record Removed(long number, BlockKey block, Tier tier) implements KvEvent {}

    /** All blocks have gone, from all tiers. */
    record Cleared(long number) implements KvEvent {}

    /**
     * Events that were not kept long enough for this reader: what it knows may be wrong.
     *
     * @param number of the first one missed
     * @param count how many: the next event has the number {@code number + count}
     */
    record Missed(long number, long count) implements KvEvent {}
}
