package io.cortado.engine;

import io.cortado.api.EngineStats;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLongArray;

/** Steps by their number of tokens: written by the loop, read by any thread. */
final class StepSizes {
    private final int[] bounds =
            EngineStats.StepTokens.BOUNDS.stream().mapToInt(Integer::intValue).toArray();
    private final AtomicLongArray counts = new AtomicLongArray(bounds.length + 1);
    private volatile long sum;
    private long total;

    void add(int tokens) {
        int i = 0;
        while (i < bounds.length && tokens > bounds[i]) {
            i++;
        }
        counts.setRelease(i, counts.getPlain(i) + 1);
        total += tokens;
        sum = total;
    }

    EngineStats.StepTokens snapshot() {
        List<Long> all = new ArrayList<>(counts.length());
        for (int i = 0; i < counts.length(); i++) {
            all.add(counts.getAcquire(i));
        }
        return new EngineStats.StepTokens(all, sum);
    }
}
