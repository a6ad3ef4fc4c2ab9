package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.cortado.kv.BlockFork;
import io.cortado.kv.BlockPool;
import io.cortado.kv.KvCache;
import org.junit.jupiter.api.Test;

/** Blocks of a sequence of three, of which a part was read. */
class ReadBlocksTest {
    private static final int LENGTH = 3 * BlockPool.BLOCK_TOKENS;

    private final KvCache cache = new KvCache(5, 0);
    private final Sequence sequence = sequence();
    private final ReadBlocks blocks = new ReadBlocks(5);

    private Sequence sequence() {
        Sequence made = Requests.request(new Door(1, 1, 0), LENGTH, 1, 8, 1).sequences[0];
        made.table.grow(cache.pool(), LENGTH);
        return made;
    }

    @Test
    void whatIsReadFromTheBeginningOnIsReadable() {
        assertEquals(0, blocks.readable(sequence, LENGTH));
        blocks.read(sequence, 0, 20);
        assertEquals(20, blocks.readable(sequence, LENGTH));
        assertEquals(7, blocks.readable(sequence, 7));
        blocks.read(sequence, 20, LENGTH);
        assertEquals(LENGTH, blocks.readable(sequence, LENGTH));
    }

    @Test
    void behindAGapNothingIsReadable() {
        blocks.read(sequence, 5, 30);
        assertEquals(0, blocks.readable(sequence, LENGTH));
        blocks.read(sequence, 0, 16);
        assertEquals(30, blocks.readable(sequence, LENGTH), "the second block was whole");
    }

    @Test
    void whatTheTargetWritesAloneIsNotRead() {
        blocks.read(sequence, 0, LENGTH);
        blocks.wrote(sequence, 18, 21);
        assertEquals(18, blocks.readable(sequence, LENGTH));
        blocks.read(sequence, 18, 32);
        assertEquals(LENGTH, blocks.readable(sequence, LENGTH));
    }

    @Test
    void whatTheTargetWritesInAForkIsNotReadWhateverItsBlocksHeldBefore() {
        blocks.read(sequence, 0, LENGTH);
        BlockFork fork = new BlockFork(BlockPool.BLOCK_TOKENS);
        fork.take(cache.pool(), 20, 34, 0);
        fork.swap(sequence.table, cache.pool());
        blocks.read(sequence, 16, LENGTH);
        fork.swap(sequence.table, cache.pool());
        blocks.wrote(fork, 20);
        assertEquals(LENGTH, blocks.readable(sequence, LENGTH));
        fork.swap(sequence.table, cache.pool());
        assertEquals(20, blocks.readable(sequence, LENGTH));
        blocks.read(sequence, 20, LENGTH);
        assertEquals(LENGTH, blocks.readable(sequence, LENGTH));
    }
}
