package io.cortado.kv;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class KvCacheTest {
    private final BlockHasher hasher = new BlockHasher();

    /** A sequence that holds all its tokens. */
    private final class Holder {
        final int[] tokens;
        final BlockKeys keys;
        final BlockTable table;

        Holder(int... tokens) {
            this.tokens = tokens;
            table = new BlockTable(tokens.length);
            keys = hasher.start(4, "model");
            hasher.extend(keys, i -> tokens[i], tokens.length);
        }

        KvCache.@Nullable Admission admit(KvCache cache) {
            return cache.admit(table, keys, i -> tokens[i], tokens.length, tokens.length - 1, 0);
        }

        Holder run(KvCache cache) {
            assertNotNull(admit(cache));
            compute(cache);
            return this;
        }

        void compute(KvCache cache) {
            cache.commit();
            cache.offer(table, keys, i -> tokens[i], tokens.length);
        }

        void end(KvCache cache) {
            table.release(cache.pool());
        }
    }

    private static int[] range(int count, int first) {
        int[] tokens = new int[count];
        Arrays.setAll(tokens, i -> first + i);
        return tokens;
    }

    private static int[] concat(int[] a, int... b) {
        int[] both = Arrays.copyOf(a, a.length + b.length);
        System.arraycopy(b, 0, both, a.length, b.length);
        return both;
    }

    @Test
    void sharesBlocksOfARunningSequenceAndOfOneThatHasEnded() {
        KvCache cache = new KvCache(10);
        Holder first = new Holder(range(40, 0)).run(cache);
        Holder second = new Holder(concat(range(32, 0), range(8, 100)));
        KvCache.Admission admission = second.admit(cache);
        assertNotNull(admission);
        assertEquals(32, admission.reused());
        assertEquals(first.table.block(1), second.table.block(1));
        assertEquals(2, cache.pool().owners(first.table.block(0)));
        second.compute(cache);
        first.end(cache);
        second.end(cache);
        assertEquals(0, cache.pool().used());
        assertEquals(2, cache.pool().kept());
        Holder third = new Holder(range(33, 0));
        assertEquals(32, assertNotNullAdmission(third.admit(cache)).reused());
        cache.pool().check();
    }

    private static KvCache.Admission assertNotNullAdmission(KvCache.@Nullable Admission a) {
        assertNotNull(a);
        return a;
    }

    @Test
    void computesTheLastTokenOfAPromptThatIsCachedWhole() {
        KvCache cache = new KvCache(10);
        new Holder(range(32, 0)).run(cache);
        Holder again = new Holder(range(32, 0));
        assertEquals(31, assertNotNullAdmission(again.admit(cache)).reused());
        assertEquals(1, cache.copies().size()); // it writes into a block of its own
        assertEquals(again.table.block(1), cache.copies().destination(0));
    }

    @Test
    void copiesThePartOfABlockThatIsAlike() {
        KvCache cache = new KvCache(10);
        Holder first = new Holder(range(32, 0)).run(cache);
        Holder second = new Holder(concat(range(25, 0), 500, 501));
        assertEquals(25, assertNotNullAdmission(second.admit(cache)).reused());
        assertEquals(first.table.block(1), cache.copies().source(0));
        assertEquals(2, cache.pool().owners(first.table.block(1))); // held until it is copied
        second.compute(cache);
        assertEquals(1, cache.pool().owners(first.table.block(1)));
    }

    @Test
    void takesNothingIfThereAreNotEnoughBlocks() {
        KvCache cache = new KvCache(4);
        Holder first = new Holder(range(48, 0)).run(cache);
        Holder large = new Holder(range(80, 0));
        assertNull(large.admit(cache));
        assertEquals(0, large.table.size());
        assertEquals(1, cache.pool().available());
        first.end(cache);
        assertNull(large.admit(cache)); // its own prefix counts among the free ones only once
        assertEquals(4, cache.pool().available());
        cache.pool().check();
    }

    @Test
    void evictsWhatWasGivenBackLongestAgoFromItsEnd() {
        KvCache cache = new KvCache(6);
        new Holder(range(48, 0)).run(cache).end(cache);
        new Holder(range(48, 1000)).run(cache).end(cache);
        Holder third = new Holder(range(32, 2000)).run(cache);
        assertEquals(2, cache.pool().evictions());
        third.end(cache);
        assertEquals(16, assertNotNullAdmission(new Holder(range(48, 0)).admit(cache)).reused());
    }

    @Test
    void bringsBackFromHostMemoryWhatWasEvicted() {
        KvCache cache = new KvCache(3, 8);
        new Holder(range(48, 0)).run(cache).end(cache);
        Holder other = new Holder(range(48, 1000));
        assertNotNull(other.admit(cache));
        assertEquals(3, cache.toHost().size());
        other.compute(cache);
        other.end(cache);
        Holder again = new Holder(concat(range(40, 0), range(8, 7000)));
        KvCache.Admission admission = assertNotNullAdmission(again.admit(cache));
        assertEquals(32, admission.reused());
        assertEquals(32, admission.fromHost());
        assertEquals(2, cache.toDevice().size());
        BlockPool host = cache.hostPool();
        assertNotNull(host);
        assertTrue(host.used() > 0, "what comes back is held until it has");
        again.compute(cache);
        assertEquals(0, host.used());
        assertFalse(cache.hasMoves());
        host.check();
    }

    @Test
    void forgetsWhatNobodyUses() {
        KvCache cache = new KvCache(6, 4);
        Holder kept = new Holder(range(16, 500)).run(cache);
        new Holder(range(48, 0)).run(cache).end(cache);
        cache.forget();
        assertEquals(0, cache.pool().kept());
        assertEquals(0, assertNotNullAdmission(new Holder(range(48, 0)).admit(cache)).reused());
        Holder more = new Holder(range(17, 500));
        assertEquals(16, assertNotNullAdmission(more.admit(cache)).reused());
        kept.end(cache);
        cache.pool().check();
    }

    @Test
    void refusesAPoolWithoutBlocks() {
        assertThrows(IllegalArgumentException.class, () -> new KvCache(0));
    }

    /** The index against a map, through many collisions of places. */
    @Test
    void findsWhatAMapFinds() {
        long seed = Long.getLong("cortado.seed", 5);
        Random random = new Random(seed);
        int blocks = 24;
        PrefixIndex index = new PrefixIndex(blocks);
        int[][] prompts = new int[60][];
        BlockKeys[] keys = new BlockKeys[prompts.length];
        for (int i = 0; i < prompts.length; i++) {
            prompts[i] = random.ints(48, 0, 2).toArray();
            int topic = random.nextInt(4);
            Arrays.fill(prompts[i], 0, 8 * random.nextInt(5), topic);
            int[] tokens = prompts[i];
            keys[i] = hasher.start(3, "model");
            hasher.extend(keys[i], t -> tokens[t], tokens.length);
        }
        Map<String, Integer> map = new HashMap<>();
        String[] nameOf = new String[blocks];
        for (int step = 0; step < 50_000; step++) {
            int p = random.nextInt(prompts.length);
            int at = random.nextInt(3);
            String name = keys[p].high(at) + " " + keys[p].low(at);
            int block = random.nextInt(blocks);
            if (index.isKeyed(block)) {
                index.remove(block);
                map.remove(nameOf[block]);
            } else {
                boolean isNew = index.put(block, keys[p], at, t -> prompts[p][t]);
                assertEquals(!map.containsKey(name), isNew, "seed=" + seed);
                if (isNew) {
                    map.put(name, block);
                    nameOf[block] = name;
                }
            }
            int found = index.find(keys[p].high(at), keys[p].low(at));
            assertEquals(map.getOrDefault(name, -1), found, "seed=" + seed);
            assertEquals(map.size(), index.size());
            PrefixIndex.Part part = index.longestPart(keys[p], at, t -> prompts[p][t], 16);
            if (part != null) {
                assertTrue(index.isKeyed(part.block()), "seed=" + seed);
            }
        }
    }
}
