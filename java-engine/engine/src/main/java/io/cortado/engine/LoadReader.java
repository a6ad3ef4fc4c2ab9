package io.cortado.engine;

import io.cortado.api.ExpertLoad;
import io.cortado.device.Stream;
import io.cortado.moe.ExpertLoads;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLongArray;

/**
 * Brings what the device has counted of its experts to the host: with a step now and then, which
 * waits for nothing more than it does without, and when the loop has nothing to do. The loop's; any
 * thread reads.
 */
final class LoadReader {
    private static final long EVERY_NANOS = 250_000_000L;
    private static final long NONE = -1;

    private final ExpertLoads loads;
    private final List<Integer> layers;
    private final AtomicLongArray shared;
    private long lastNanos = System.nanoTime();
    private boolean isBehind;
    private long submitted;
    private long ended;

    /** The step that brings a copy along. */
    private long carrier = NONE;

    /**
     * @param layers the numbers of those that are counted
     */
    LoadReader(ExpertLoads loads, List<Integer> layers) {
        this.loads = loads;
        this.layers = layers;
        shared = new AtomicLongArray(loads.numLayers() * loads.numExperts());
    }

    /** Before a step is enqueued: what those before it have counted may come along with it. */
    void beforeStep(Stream stream) {
        long now = System.nanoTime();
        if (carrier == NONE && isBehind && now - lastNanos >= EVERY_NANOS) {
            lastNanos = now;
            loads.download(stream);
            carrier = submitted;
        }
        submitted++;
        isBehind = true;
    }

    /** A step has ended; they end in their order. */
    void afterStep() {
        if (ended++ == carrier) {
            carrier = NONE;
            loads.read(shared);
        }
    }

    /** Nothing runs: waits for the copy alone. */
    void settle(Stream stream) {
        if (isBehind) {
            isBehind = false;
            loads.download(stream);
            stream.synchronize();
            loads.read(shared);
        }
    }

    List<ExpertLoad> snapshot() {
        List<ExpertLoad> all = new ArrayList<>();
        int experts = loads.numExperts();
        for (int i = 0; i < layers.size(); i++) {
            List<Long> tokens = new ArrayList<>(experts);
            for (int expert = 0; expert < experts; expert++) {
                tokens.add(shared.get(i * experts + expert));
            }
            all.add(new ExpertLoad(layers.get(i), tokens));
        }
        return all;
    }
}
