package io.cortado.kv;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class BlockPoolTest {

    @Test
    void givesTheBlockBackFirstThatCameLast() {
        BlockPool pool = new BlockPool(4);
        int first = pool.take();
        int second = pool.take();
        pool.giveBack(first);
        pool.giveBack(second);
        assertEquals(second, pool.take());
        assertEquals(first, pool.take());
    }

    @Test
    void refusesToGiveABlockBackTwice() {
        BlockPool pool = new BlockPool(2);
        int block = pool.take();
        pool.giveBack(block);
        assertThrows(IllegalStateException.class, () -> pool.giveBack(block));
        assertThrows(IllegalStateException.class, () -> pool.giveBack(-1));
        assertThrows(IllegalStateException.class, () -> pool.giveBack(2));
    }

    @Test
    void refusesToTakeFromAnEmptyPool() {
        BlockPool pool = new BlockPool(1);
        pool.take();
        assertThrows(IllegalStateException.class, pool::take);
        assertThrows(IllegalArgumentException.class, () -> new BlockPool(0));
    }

    @Test
    void growsATableWhollyOrNotAtAll() {
        BlockPool pool = new BlockPool(3);
        BlockTable table = new BlockTable(100);
        assertTrue(table.grow(pool, 17));
        assertEquals(2, table.size());
        assertFalse(table.grow(pool, 65));
        assertEquals(2, table.size());
        assertEquals(1, pool.available());
        assertTrue(table.grow(pool, 48));
        assertEquals(table.block(2) * 16L + 3, table.slot(35));
        table.release(pool);
        table.release(pool);
        assertEquals(3, pool.available());
        pool.check();
    }

    @Test
    void countsBlocksAroundTheirEdges() {
        assertEquals(0, BlockPool.blocksFor(0));
        assertEquals(1, BlockPool.blocksFor(1));
        assertEquals(1, BlockPool.blocksFor(16));
        assertEquals(2, BlockPool.blocksFor(17));
    }

    @Test
    void conservesBlocksThroughRandomUse() {
        long seed = Long.getLong("cortado.seed", 7);
        Random random = new Random(seed);
        BlockPool pool = new BlockPool(37);
        List<BlockTable> tables = new ArrayList<>();
        for (int step = 0; step < 20_000; step++) {
            if (random.nextInt(3) > 0 || tables.isEmpty()) {
                BlockTable table = new BlockTable(200);
                if (table.grow(pool, 1 + random.nextInt(200))) {
                    tables.add(table);
                }
            } else {
                tables.remove(random.nextInt(tables.size())).release(pool);
            }
            int held = tables.stream().mapToInt(BlockTable::size).sum();
            assertEquals(pool.used(), held, "re-run with -Dcortado.seed=" + seed);
            pool.check();
        }
    }
}
