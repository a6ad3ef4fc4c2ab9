package io.cortado.engine;

import io.cortado.api.Engine;
import io.cortado.api.EngineOptions;
import io.cortado.engine.SimulatedEngine.Work;
import io.cortado.kv.KvCache;
import java.nio.file.Path;

/** An engine that tells of each step what it did and how long the device took for it. */
public final class MeasuredEngine {
    /** Hears of steps on the engine's thread, in their order. */
    @FunctionalInterface
    public interface Listener {
        void ran(Work work, long nanos);
    }

    private MeasuredEngine() {}

    public static Engine open(Path folder, EngineOptions options, Listener listener) {
        return CortadoEngineProvider.open(
                folder, options, _ -> {}, device -> new Measuring(device, listener));
    }

    /** A step's time counts from when it could begin: submitted, and the one before had ended. */
    private static final class Measuring implements Executor {
        private final Executor device;
        private final Listener listener;
        private Work newest = new Work();
        private Work before = new Work();
        private long newestSubmitted;
        private long beforeSubmitted;
        private int underWay;
        private long ended;

        Measuring(Executor device, Listener listener) {
            this.device = device;
            this.listener = listener;
        }

        @Override
        public void submit(Batch batch, KvCache cache) {
            Work oldest = before;
            before = newest;
            beforeSubmitted = newestSubmitted;
            newest = oldest;
            newest.fill(batch, cache);
            device.submit(batch, cache);
            newestSubmitted = System.nanoTime();
            underWay++;
        }

        @Override
        public void await(Batch batch) {
            device.await(batch);
            long now = System.nanoTime();
            boolean isNewest = underWay == 1;
            long submitted = isNewest ? newestSubmitted : beforeSubmitted;
            listener.ran(isNewest ? newest : before, now - Math.max(submitted, ended));
            underWay--;
            ended = now;
        }

        @Override
        public long bytesPerBlock() {
            return device.bytesPerBlock();
        }

        @Override
        public void close() {
            device.close();
        }
    }
}
