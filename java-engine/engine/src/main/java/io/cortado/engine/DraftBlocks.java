package io.cortado.engine;

import io.cortado.kv.BlockPool;
import io.cortado.kv.KvCache;

/**
 * The blocks that drafts are made and verified in, beside those of the known tokens. The loop's.
 */
final class DraftBlocks {
    private final KvCache cache;
    private final BlockPool pool;
    private final Limits limits;

    DraftBlocks(KvCache cache, Limits limits) {
        this.cache = cache;
        this.limits = limits;
        pool = cache.pool();
    }

    /** Takes blocks of a sequence's own; false, and none is taken, where others may need them. */
    boolean grow(Sequence sequence, int count) {
        int tokens = sequence.cachedLength() + count;
        int left = pool.available() - sequence.table.missingFor(tokens);
        return left >= limits.watermarkBlocks() && sequence.table.grow(pool, tokens);
    }

    /** Takes what a tree is drafted in; false, and nothing is taken, where others may need it. */
    boolean takeBeam(Sequence sequence, int depth) {
        Drafts drafts = sequence.drafting();
        int from = drafts.size() - 1;
        return drafts.beam().begin(pool, from, depth, limits.watermarkBlocks());
    }

    /** Trees were drafted. */
    void releaseBeams(Sequence[] sequences, int count) {
        for (int i = 0; i < count; i++) {
            Drafts drafts = sequences[i].drafts;
            if (drafts != null && drafts.hasTrees()) {
                drafts.beam().release(pool);
            }
        }
    }

    /**
     * Cuts drafts down to what there is room for in a step, and takes the blocks of their ways;
     * false: to none.
     */
    boolean fit(Sequence sequence, Batch batch, int mostDrafts) {
        Drafts drafts = sequence.drafting();
        DraftPaths paths = drafts.paths();
        paths.release(pool);
        drafts.tree().truncate(mostDrafts);
        int start = sequence.computed;
        int forks = limits.maxForks() - batch.numForks();
        int blocks = Math.max(0, pool.available() - limits.watermarkBlocks());
        paths.fit(start, forks, batch.copiesLeft(), blocks);
        paths.take(sequence, cache, start);
        return paths.count() > 0;
    }

    /** The step was computed: the sequence goes on in the blocks of the way that stands. */
    void settle(Sequence sequence, Batch batch, int root) {
        sequence.drafting().settle(batch, root, pool);
    }

    /** Gives all blocks of a sequence back; again is harmless. */
    void releaseAll(Sequence sequence) {
        if (sequence.drafts != null) {
            sequence.drafts.paths().release(pool);
        }
        sequence.table.release(pool);
    }

    /** Nothing more is drafted for a sequence. */
    void drop(Sequence sequence) {
        Drafts drafts = sequence.drafting();
        drafts.paths().release(pool);
        if (drafts.hasTrees()) {
            drafts.beam().release(pool);
        }
        sequence.drafts = null;
    }
}
