package io.cortado.bench.traces;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Random;
import org.junit.jupiter.api.Test;

class BlockCachesTest {
    /** Two requests that begin alike, with others between them. */
    private static final int[][] REQUESTS = {{0, 1, 2}, {3, 4}, {0, 1, 5}};

    @Test
    void countsLeadingBlocksOnly() {
        assertEquals(2, BlockCaches.touched(REQUESTS, 6));
        assertEquals(2, BlockCaches.chained(REQUESTS, 6));
        // Of four blocks 0 is the first to go when blocks are touched in order, 2 when a request
        // gives its last block back first.
        assertEquals(0, BlockCaches.touched(REQUESTS, 4));
        assertEquals(2, BlockCaches.chained(REQUESTS, 4));
    }

    @Test
    void agreesWithModelsThatKnowNothingOfIt() {
        long seed = Long.getLong("cortado.seed", System.nanoTime());
        Random random = new Random(seed);
        int[][] requests = new int[300][];
        for (int i = 0; i < requests.length; i++) {
            int topic = random.nextInt(6);
            int shared = random.nextInt(8);
            int[] ids = new int[1 + random.nextInt(12)];
            for (int b = 0; b < ids.length; b++) {
                ids[b] = b < shared ? 10 * topic + b : 1000 + 20 * i + b;
            }
            requests[i] = ids;
        }
        String replay = "re-run with -Dcortado.seed=" + seed;
        for (int capacity : new int[] {1, 5, 12, 40, 100, 5000}) {
            assertEquals(
                    BlockCaches.modelTouched(requests, capacity),
                    BlockCaches.touched(requests, capacity),
                    replay);
            assertEquals(
                    BlockCaches.modelChained(requests, capacity),
                    BlockCaches.chained(requests, capacity),
                    replay);
        }
    }
}
