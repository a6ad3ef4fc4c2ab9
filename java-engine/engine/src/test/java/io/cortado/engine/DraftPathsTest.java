package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.DraftShape;
import io.cortado.kv.BlockFork;
import io.cortado.kv.BlockPool;
import io.cortado.kv.KvCache;
import io.cortado.speculate.DraftLengths;
import io.cortado.speculate.DraftTree;
import java.util.Arrays;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Four ways: 0-1-2 in the sequence's own blocks, then 4, 0-3-5 and 0-3-6. */
class DraftPathsTest {
    private static final int ROOT = DraftTree.ROOT;

    /** Place of the last known token: the first way goes on in a second block. */
    private static final int START = 13;

    private final KvCache cache = new KvCache(20, 0);
    private final BlockPool pool = cache.pool();
    private final Sequence sequence =
            Requests.request(new Door(1, 1, 0), START + 1, 1, 8, 1).sequences[0];
    private final Drafts drafts =
            new Drafts(
                    sequence,
                    BeamShape.of(new DraftShape.TopK(7, 3), 3),
                    3,
                    6,
                    new DraftLengths(3, false, 0, false));
    private final DraftTree tree = drafts.tree();
    private final DraftPaths paths = drafts.paths();
    private final Batch batch =
            new Batch(new Limits(6, 32, 0, 1, 1, 1, 1000, Limits.ANY_TIME, 6, 7, 6));

    @BeforeEach
    void draft() {
        sequence.table.grow(pool, START + 4);
        sequence.computed = START;
        int[] parents = {ROOT, 0, 1, 0, ROOT, 3, 3};
        for (int node = 0; node < parents.length; node++) {
            tree.add(parents[node], 100 + node);
        }
    }

    private void add() {
        paths.fit(START, 6, batch.copiesLeft(), 12);
        paths.take(sequence, cache, START);
        batch.addDrafted(sequence, tree, paths);
    }

    @Test
    void eachDraftIsComputedOnceWithTheFirstWayThatItIsOn() {
        add();
        assertEquals(4, batch.numSeqs());
        assertEquals(1 + 7, batch.numTokens());
        assertEquals(1 + 7, batch.numRows());
        assertEquals(4, batch.maxQLen());
        assertArrayEquals(new int[] {0, 4, 5, 7, 8}, Arrays.copyOf(batch.cuSeqlensQ, 5));
        assertArrayEquals(
                new int[] {START + 4, START + 2, START + 4, START + 4},
                Arrays.copyOf(batch.seqlensKv, 4));
        int known = sequence.token(START);
        assertArrayEquals(
                new int[] {known, 100, 101, 102, 104, 103, 105, 106}, Arrays.copyOf(batch.ids, 8));
        int[] depths = {0, 1, 2, 3, 1, 2, 3, 3};
        int[] ways = {0, 0, 0, 0, 1, 2, 2, 3};
        for (int token = 0; token < 8; token++) {
            assertEquals(START + depths[token], batch.positions[token]);
            assertEquals(slot(ways[token], depths[token]), batch.slots[token]);
        }
        assertArrayEquals(
                new int[] {0, 1, 2, 3, 5, 4, 6, 7},
                Arrays.copyOf(batch.rowToken, 8),
                "behind the known token, then behind each draft");
    }

    @Test
    void whatWaysShareIsCopiedFromTheFirstOfThem() {
        add();
        long[][] copies = {
            {slot(0, 0), slot(1, 0)},
            {slot(0, 1), slot(2, 1)},
            {slot(0, 0), slot(2, 0)},
            {slot(2, 2), slot(3, 2)},
            {slot(0, 1), slot(3, 1)},
            {slot(0, 0), slot(3, 0)}
        };
        assertEquals(copies.length, batch.numCopies());
        long[] flat = Arrays.stream(copies).flatMapToLong(Arrays::stream).toArray();
        assertArrayEquals(flat, Arrays.copyOf(batch.copies, flat.length));
        batch.clear(0);
        assertEquals(0, batch.numCopies());
    }

    @Test
    void fewerDraftsNeedFewerCopies() {
        paths.fit(START, 6, 4, 12);
        assertEquals(6, tree.size(), "without 6, whose way shares three tokens");
        paths.fit(START, 6, 2, 12);
        assertEquals(4, tree.size());
        paths.fit(START, 6, 0, 12);
        assertTrue(tree.isChain());
    }

    @Test
    void theRowsOfTheWayThatStandsAreFound() {
        add();
        drafts.ranIn(1, 0, START);
        assertEquals(2, drafts.stepRow(START + 2));
        long[] ofWay = {slot(3, 0), slot(3, 1), slot(3, 2), slot(3, 3)};
        batch.token[0] = 100;
        batch.token[1 + 0] = 103;
        batch.token[1 + 3] = 106;
        drafts.settle(batch, 0, pool);
        int[] rows = {0, 1, 5, 7};
        for (int depth = 0; depth < rows.length; depth++) {
            assertEquals(rows[depth], drafts.stepRow(START + depth));
            assertEquals(ofWay[depth], sequence.table.slot(START + depth));
        }
        drafts.ranIn(2, 5, START + 4);
        assertEquals(6, drafts.stepRow(START + 5));
    }

    private long slot(int way, int depth) {
        int position = START + depth;
        BlockFork fork = way == 0 ? null : paths.fork(way);
        return fork == null ? sequence.table.slot(position) : fork.slot(position);
    }
}
