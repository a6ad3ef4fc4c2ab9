package io.cortado.bench.traces;

import io.cortado.kv.BlockHasher;
import io.cortado.kv.BlockKeys;
import io.cortado.kv.BlockPool;
import io.cortado.kv.BlockTable;
import io.cortado.kv.KvCache;
import io.cortado.kv.TokenSource;
import java.util.LinkedHashMap;

/**
 * How many of a trace's leading blocks a cache holds, by the engine's own cache and by models of it
 * that know nothing of it. A block of the trace stands in one block of the pool.
 */
public final class BlockCaches {
    private BlockCaches() {}

    /**
     * The engine's cache as a plain LRU: all blocks of a request are touched in their order, each
     * on its own.
     *
     * @param capacity blocks
     * @return blocks found before the first that was not, over all requests
     */
    public static long touched(int[][] requests, int capacity) {
        KvCache cache = new KvCache(capacity);
        BlockHasher hasher = new BlockHasher();
        long hits = 0;
        for (int[] ids : requests) {
            boolean isLeading = true;
            for (int id : ids) {
                isLeading &= admit(cache, hasher, new int[] {id}) == 1;
                hits += isLeading ? 1 : 0;
            }
        }
        return hits;
    }

    /**
     * The engine's cache as requests use it: all blocks of a request at once, chained, given back
     * the last one first. Requests that have more blocks than there are do not enter.
     */
    public static long chained(int[][] requests, int capacity) {
        KvCache cache = new KvCache(capacity);
        BlockHasher hasher = new BlockHasher();
        long hits = 0;
        for (int[] ids : requests) {
            if (ids.length <= capacity) {
                hits += admit(cache, hasher, ids);
            }
        }
        return hits;
    }

    /** One request from its admission to its end; how many leading blocks were there. */
    private static int admit(KvCache cache, BlockHasher hasher, int[] ids) {
        int tokens = ids.length * BlockPool.BLOCK_TOKENS;
        TokenSource source = position -> token(ids, position);
        BlockKeys keys = hasher.start(ids.length);
        hasher.extend(keys, source, tokens);
        BlockTable table = new BlockTable(tokens);
        KvCache.Admission admission = cache.admit(table, keys, source, tokens, tokens, 0);
        if (admission == null) {
            throw new IllegalStateException(
                    "the cache is too small: blocks=%d total=%d"
                            .formatted(ids.length, cache.pool().total()));
        }
        cache.commit();
        cache.offer(table, keys, source, tokens);
        table.release(cache.pool());
        return admission.reused() / BlockPool.BLOCK_TOKENS;
    }

    /** No two different blocks begin with the same token, so none is reused in part. */
    private static int token(int[] ids, int position) {
        return ids[position / BlockPool.BLOCK_TOKENS] + position % BlockPool.BLOCK_TOKENS * 31;
    }

    /** What {@link #touched} must give. */
    public static long modelTouched(int[][] requests, int capacity) {
        LinkedHashMap<Integer, Boolean> lru = new LinkedHashMap<>(16, 0.75f, true);
        long hits = 0;
        for (int[] ids : requests) {
            boolean isLeading = true;
            for (int id : ids) {
                isLeading &= lru.get(id) != null; // moves it to the end
                hits += isLeading ? 1 : 0;
                lru.put(id, true);
                if (lru.size() > capacity) {
                    lru.remove(lru.firstEntry().getKey());
                }
            }
        }
        return hits;
    }

    /**
     * What {@link #chained} must give. A block behind the first one that is missing is made again
     * even if it is there; the copy that was there stays, the new one is nobody's in the end.
     */
    public static long modelChained(int[][] requests, int capacity) {
        LinkedHashMap<Integer, Boolean> kept = new LinkedHashMap<>();
        long hits = 0;
        for (int[] ids : requests) {
            if (ids.length > capacity) {
                continue;
            }
            int leading = 0;
            while (leading < ids.length && kept.containsKey(ids[leading])) {
                leading++;
            }
            hits += leading;
            for (int i = 0; i < leading; i++) {
                kept.remove(ids[i]);
            }
            while (kept.size() > capacity - ids.length) {
                kept.remove(kept.firstEntry().getKey());
            }
            for (int i = ids.length - 1; i >= 0; i--) {
                kept.putIfAbsent(ids[i], true);
            }
        }
        return hits;
    }
}
