package io.cortado.kv;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** What a router hears of a cache is what the cache holds. */
class BlockListenerTest {
    private final BlockHasher hasher = new BlockHasher();

    /** Keeps what it is told, and fails where a block comes twice or goes without being there. */
    private static final class Heard implements BlockListener {
        final Map<Tier, Set<String>> held = new HashMap<>();
        final Map<String, String> parents = new HashMap<>();
        final Map<String, int[]> tokens = new HashMap<>();
        final List<String> events = new ArrayList<>();

        private Set<String> of(Tier tier) {
            return held.computeIfAbsent(tier, _ -> new HashSet<>());
        }

        @Override
        public void stored(
                Tier tier,
                long high,
                long low,
                long parentHigh,
                long parentLow,
                int[] blocks,
                int first) {
            String key = high + ":" + low;
            assertTrue(of(tier).add(key), "stored twice");
            parents.put(key, parentHigh + ":" + parentLow);
            tokens.put(key, Arrays.copyOfRange(blocks, first, first + BlockPool.BLOCK_TOKENS));
            events.add("stored " + tier);
        }

        @Override
        public void removed(Tier tier, long high, long low) {
            assertTrue(of(tier).remove(high + ":" + low), "removed what was not there");
            events.add("removed " + tier);
        }

        @Override
        public void cleared() {
            held.clear();
            events.add("cleared");
        }

        /** The tokens of a chain's first blocks that this tier is said to hold. */
        int reach(BlockKeys keys, Tier tier) {
            int blocks = 0;
            while (blocks < keys.size()
                    && of(tier).contains(keys.high(blocks) + ":" + keys.low(blocks))) {
                blocks++;
            }
            return blocks;
        }
    }

    private static int[] range(int count, int first) {
        int[] tokens = new int[count];
        Arrays.setAll(tokens, i -> first + i);
        return tokens;
    }

    private BlockKeys run(KvCache cache, int... tokens) {
        BlockTable table = new BlockTable(tokens.length);
        BlockKeys keys = hasher.start(4, "model");
        hasher.extend(keys, i -> tokens[i], tokens.length);
        assertNotNull(
                cache.admit(table, keys, i -> tokens[i], tokens.length, tokens.length - 1, 0));
        cache.commit();
        cache.offer(table, keys, i -> tokens[i], tokens.length);
        table.release(cache.pool());
        return keys;
    }

    @Test
    void hearsOfFullBlocksWithTheirTokensAndWhatIsBeforeThem() {
        KvCache cache = new KvCache(8);
        Heard heard = new Heard();
        cache.listen(heard);
        BlockKeys keys = run(cache, range(40, 7));
        assertEquals(List.of("stored DEVICE", "stored DEVICE"), heard.events);
        String second = keys.high(1) + ":" + keys.low(1);
        String first = keys.high(0) + ":" + keys.low(0);
        assertEquals(first, heard.parents.get(second));
        assertTrue(keys.isRoot(keys.high(-1), keys.low(-1)));
        assertEquals(keys.high(-1) + ":" + keys.low(-1), heard.parents.get(first));
        assertTrue(Arrays.equals(range(16, 23), heard.tokens.get(second)));
        run(cache, range(40, 7));
        assertEquals(2, heard.events.size()); // what is shared is no news
    }

    @Test
    void hearsOfWhatWasThereBeforeItListened() {
        KvCache cache = new KvCache(8);
        BlockKeys keys = run(cache, range(48, 0));
        Heard heard = new Heard();
        cache.listen(heard);
        assertEquals(3, heard.reach(keys, BlockListener.Tier.DEVICE));
    }

    @Test
    void hearsThatABlockHasMovedToTheHost() {
        KvCache cache = new KvCache(2, 2);
        Heard heard = new Heard();
        cache.listen(heard);
        BlockKeys keys = run(cache, range(16, 0));
        run(cache, range(32, 500)); // takes both blocks
        assertEquals(0, heard.reach(keys, BlockListener.Tier.DEVICE));
        assertEquals(1, heard.reach(keys, BlockListener.Tier.HOST));
    }

    @Test
    void hearsOnceThatAllHasGoneAndOfEachBlockWhereSomeStays() {
        KvCache cache = new KvCache(8);
        Heard heard = new Heard();
        cache.listen(heard);
        run(cache, range(48, 0));
        cache.forget();
        assertEquals("cleared", heard.events.getLast());
        assertEquals(4, heard.events.size());
        int[] tokens = range(16, 900);
        BlockTable inUse = new BlockTable(16);
        BlockKeys keys = hasher.start(1, "model");
        hasher.extend(keys, i -> tokens[i], 16);
        assertNotNull(cache.admit(inUse, keys, i -> tokens[i], 16, 15, 0));
        cache.commit();
        cache.offer(inUse, keys, i -> tokens[i], 16);
        run(cache, range(16, 0));
        cache.forget();
        assertEquals("removed DEVICE", heard.events.getLast());
        assertEquals(1, heard.reach(keys, BlockListener.Tier.DEVICE));
    }

    /** Replays of random work: what was heard is what the indexes hold, after every turn. */
    @Test
    void knowsWhatTheCacheHolds() {
        long seed = Long.getLong("cortado.seed", 11);
        Random random = new Random(seed);
        KvCache cache = new KvCache(12, 5);
        Heard heard = new Heard();
        cache.listen(heard);
        for (int turn = 0; turn < 3000; turn++) {
            int length = 16 + random.nextInt(64);
            int[] tokens = range(length, 0);
            int same = 16 * random.nextInt(4);
            int other = 1000 * random.nextInt(6);
            for (int i = same; i < length; i++) {
                tokens[i] += other;
            }
            run(cache, tokens);
            if (random.nextInt(50) == 0) {
                cache.forget();
            }
            String replay = "re-run with -Dcortado.seed=" + seed + ", turn " + turn;
            check(cache.pool(), heard.of(BlockListener.Tier.DEVICE), replay);
            check(assertHost(cache), heard.of(BlockListener.Tier.HOST), replay);
        }
        assertTrue(heard.events.contains("removed HOST"));
    }

    private static BlockPool assertHost(KvCache cache) {
        BlockPool host = cache.hostPool();
        assertNotNull(host);
        return host;
    }

    private static void check(BlockPool pool, Set<String> heard, String replay) {
        PrefixIndex index = pool.index();
        Set<String> held = new HashSet<>();
        for (int block = 0; block < pool.total(); block++) {
            if (index.isKeyed(block)) {
                held.add(index.high(block) + ":" + index.low(block));
            }
        }
        assertEquals(held, heard, replay);
    }
}
