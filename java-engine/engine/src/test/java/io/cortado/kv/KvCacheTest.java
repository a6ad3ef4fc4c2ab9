package io.cortado.kv;

import static java.util.Objects.requireNonNull;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
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

    /** Runs all that may begin; returns what was moved. */
    private static List<Transfer> transfer(KvCache cache, boolean isRight) {
        DiskTier disk = requireNonNull(cache.disk());
        List<Transfer> all = new ArrayList<>();
        for (Transfer t = disk.next(); t != null; t = disk.next()) {
            all.add(t);
        }
        all.forEach(t -> disk.end(t, isRight));
        return all;
    }

    /** Fills the device with other content, so that what it held goes to the host and further. */
    private void push(KvCache cache, int first) {
        Holder other = new Holder(range(48, first));
        assertNotNull(other.admit(cache));
        other.compute(cache);
        cache.ran();
        other.end(cache);
        requireNonNull(cache.disk()).writeAhead();
    }

    @Test
    void bringsBackFromDiskWhatTheHostEvicted() {
        KvCache cache = new KvCache(3, 4, 20);
        for (int first : new int[] {0, 1000, 2000, 3000}) {
            push(cache, first);
            transfer(cache, true);
        }
        DiskTier disk = requireNonNull(cache.disk());
        assertTrue(disk.pool().kept() >= 3, () -> "" + disk.pool().kept());
        Holder again = new Holder(concat(range(40, 0), range(8, 7000)));
        DiskTier.Fetch fetch = cache.fetch(again.keys, again.tokens.length - 1);
        assertNotNull(fetch);
        assertFalse(fetch.isDone());
        DiskTier.Fetch other = cache.fetch(again.keys, again.tokens.length - 1);
        assertNotNull(other); // waits for the same reads
        assertEquals(2, disk.open());
        assertEquals(2, transfer(cache, true).size());
        assertTrue(fetch.isDone() && other.isDone());
        assertNull(cache.fetch(again.keys, again.tokens.length - 1));
        KvCache.Admission admission = assertNotNullAdmission(again.admit(cache));
        assertEquals(32, admission.fromHost());
        assertEquals(2, disk.blocksRead());
        again.compute(cache);
        assertEquals(0, requireNonNull(cache.hostPool()).used());
        assertEquals(0, disk.pool().used());
        disk.pool().check();
    }

    @Test
    void aTransferWaitsForTheStepWhoseMovesUsedItsBlock() {
        KvCache cache = new KvCache(3, 2, 20);
        new Holder(range(48, 0)).run(cache).end(cache);
        Holder other = new Holder(range(48, 1000)).run(cache); // evicts to the host
        DiskTier disk = requireNonNull(cache.disk());
        disk.writeAhead();
        assertEquals(0, disk.open(), "the step that fills the host's blocks has not run");
        cache.ran();
        cache.ran();
        disk.writeAhead();
        assertEquals(1, disk.open());
        other.end(cache);
        assertEquals(1, transfer(cache, true).size());
    }

    @Test
    void whatCannotBeReadIsForgotten() {
        KvCache cache = new KvCache(3, 4, 20);
        for (int first : new int[] {0, 1000, 2000, 3000}) {
            push(cache, first);
            transfer(cache, true);
        }
        Holder again = new Holder(range(48, 0));
        DiskTier.Fetch fetch = cache.fetch(again.keys, 47);
        assertNotNull(fetch);
        transfer(cache, false);
        assertTrue(fetch.isDone());
        assertNull(cache.fetch(again.keys, 47));
        assertEquals(0, assertNotNullAdmission(again.admit(cache)).reused());
        requireNonNull(cache.hostPool()).check();
        requireNonNull(cache.disk()).pool().check();
    }

    @Test
    void nothingIsWrittenAfterAWriteThatFailed() {
        KvCache cache = new KvCache(3, 4, 20);
        for (int first = 0; first < 5; first++) {
            push(cache, 1000 * first);
            transfer(cache, false);
        }
        DiskTier disk = requireNonNull(cache.disk());
        push(cache, 9000);
        assertEquals(0, disk.open());
        assertEquals(0, disk.pool().kept());
        assertEquals(0, requireNonNull(cache.hostPool()).used());
    }

    @Test
    void whatIsOnItsWayIsForgottenToo() {
        KvCache cache = new KvCache(3, 4, 20);
        for (int first : new int[] {0, 1000, 2000}) {
            push(cache, first);
        }
        DiskTier disk = requireNonNull(cache.disk());
        assertTrue(disk.open() > 0);
        cache.forget();
        transfer(cache, true);
        assertEquals(0, disk.pool().kept());
        assertEquals(0, requireNonNull(cache.hostPool()).kept());
        Holder again = new Holder(range(48, 0));
        assertNull(cache.fetch(again.keys, 47));
        disk.pool().check();
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
