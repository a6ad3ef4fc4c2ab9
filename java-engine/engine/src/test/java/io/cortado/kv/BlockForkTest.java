package io.cortado.kv;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class BlockForkTest {
    private final KvCache cache = new KvCache(10);
    private final BlockPool pool = cache.pool();
    private final BlockTable table = new BlockTable(200);
    private final BlockFork fork = new BlockFork(20);

    @Test
    void itsBlocksAndTheSequencesChangePlaces() {
        assertTrue(table.grow(pool, 60));
        int[] before = table.toArray();
        assertTrue(fork.take(pool, 20, 40, 0));
        assertEquals(1, fork.first());
        assertEquals(2, fork.size());
        assertEquals(16L * fork.block(0) + 4, fork.slot(20));
        cache.copyCommon(table, fork, 20);
        assertEquals(before[1], cache.copies().source(0));
        assertEquals(fork.block(0), cache.copies().destination(0));
        cache.commit();
        int[] own = {fork.block(0), fork.block(1)};
        long stamp = table.stamp();
        fork.swap(table, pool);
        assertArrayEquals(new int[] {before[0], own[0], own[1], before[3]}, table.toArray());
        assertNotEquals(stamp, table.stamp(), "who has a copy of the table is to know");
        fork.release(pool);
        assertEquals(4, pool.used());
        table.release(pool);
        assertEquals(0, pool.used());
        pool.check();
    }

    @Test
    void nothingIsCopiedWhereItPartsAtABlock() {
        assertTrue(table.grow(pool, 40));
        assertTrue(fork.take(pool, 32, 36, 0));
        cache.copyCommon(table, fork, 32);
        assertEquals(0, cache.copies().size());
    }

    @Test
    void itTakesAllOrNothing() {
        assertTrue(table.grow(pool, 16 * 8));
        assertFalse(fork.take(pool, 120, 140, 1), "two of the two that are left, one to spare");
        assertEquals(8, pool.used());
        assertTrue(fork.take(pool, 120, 140, 0));
        assertTrue(fork.take(pool, 120, 130, 0), "what it had goes back first");
        fork.release(pool);
        assertEquals(8, pool.used());
    }
}
