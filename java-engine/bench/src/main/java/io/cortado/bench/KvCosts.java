package io.cortado.bench;

import io.cortado.kv.BlockKeys;
import io.cortado.kv.BlockPool;
import io.cortado.kv.KvBed;
import java.io.PrintStream;
import java.util.Locale;
import java.util.function.LongSupplier;

/** The part of {@code bench scheduler} that is the KV cache's: blocks, prefixes, eviction. */
final class KvCosts {
    private static final int TIMES = 1_000_000;
    private static final int WARM_UP = 5;
    private static final int KEPT_BLOCKS = 50_000;
    private static final int LONG_PROMPT_BLOCKS = 32 * 1024 / BlockPool.BLOCK_TOKENS;
    private static final int EVICTING_BLOCKS = 64;

    private final int runs;

    KvCosts(int runs) {
        this.runs = runs;
    }

    void measure(PrintStream out, Results results) {
        Table table = new Table("KV cache of " + KEPT_BLOCKS + " kept blocks", "took", "target");
        BlockPool blank = new BlockPool(KEPT_BLOCKS);
        int[] taken = new int[KEPT_BLOCKS];
        double pair =
                nanos(
                                KEPT_BLOCKS,
                                () -> {
                                    KvBed.allocateAndFreeAll(blank, taken);
                                    return blank.available();
                                })
                        / KEPT_BLOCKS;
        row(table, "allocate and free a block", pair, "ns", "<= 200");
        results.put("block_allocate_free_ns", pair, "ns");

        KvBed bed = new KvBed(KEPT_BLOCKS);
        int[] prompt = bed.freshPrompt(LONG_PROMPT_BLOCKS);
        BlockKeys keys = bed.hash(prompt);
        bed.admit(prompt, keys);
        double find = nanos(TIMES, () -> bed.find(keys, TIMES)) / TIMES;
        row(table, "look a block up", find, "ns", "<= 100");
        results.put("block_lookup_ns", find, "ns");

        double hash = nanos(LONG_PROMPT_BLOCKS, () -> bed.hash(prompt).size()) / 1e6;
        row(table, "keys of 32,768 tokens, at the door", hash, "ms", "");
        results.put("prefix_hash_32k_ms", hash, "ms");
        double lookup = nanos(prompt.length - 1, () -> bed.admit(prompt, keys)) / 1e6;
        row(table, "find and share them, and let go", lookup, "ms", "");
        results.put("prefix_lookup_32k_ms", lookup, "ms");
        row(table, "both", hash + lookup, "ms", "<= 2");
        results.put("prefix_32k_ms", hash + lookup, "ms");

        double evict = evicting(new KvBed(KEPT_BLOCKS)) / EVICTING_BLOCKS;
        row(table, "evict, take, key and keep a block", evict, "ns", "<= 5000");
        results.put("block_evict_ns", evict, "ns");
        table.print(out);
    }

    /** Nanoseconds of a request of fresh blocks, each of which evicts one; hashing is not in it. */
    private double evicting(KvBed bed) {
        int requests = 200;
        double[] nanos = new double[runs];
        for (int run = -WARM_UP; run < runs; run++) {
            int[][] prompts = new int[requests][];
            BlockKeys[] keys = new BlockKeys[requests];
            for (int i = 0; i < requests; i++) {
                prompts[i] = bed.freshPrompt(EVICTING_BLOCKS);
                keys[i] = bed.hash(prompts[i]);
            }
            long before = bed.evictions();
            long begin = System.nanoTime();
            for (int i = 0; i < requests; i++) {
                require(bed.admit(prompts[i], keys[i]), 0);
            }
            long took = System.nanoTime() - begin;
            if (bed.evictions() - before != (long) requests * EVICTING_BLOCKS) {
                throw new IllegalStateException("not every block evicted another");
            }
            if (run >= 0) {
                nanos[run] = (double) took / requests;
            }
        }
        return Summary.of(nanos).median();
    }

    /**
     * @param result of the work, each time: what is not looked at might be left out
     */
    private double nanos(long result, LongSupplier work) {
        double[] nanos = new double[runs];
        for (int run = -WARM_UP; run < runs; run++) {
            long begin = System.nanoTime();
            long actual = work.getAsLong();
            long took = System.nanoTime() - begin;
            require(actual, result);
            if (run >= 0) {
                nanos[run] = took;
            }
        }
        return Summary.of(nanos).median();
    }

    private static void require(long actual, long expected) {
        if (actual != expected) {
            throw new IllegalStateException(
                    "the cache did something else: expected=" + expected + " actual=" + actual);
        }
    }

    private static void row(Table table, String what, double value, String unit, String target) {
        table.row(what, String.format(Locale.ROOT, "%.2f %s", value, unit), target);
    }
}
