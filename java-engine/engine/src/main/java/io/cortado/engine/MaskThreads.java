package io.cortado.engine;

import io.cortado.api.EngineOptions;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * Where masks are made, beside the loop.
 *
 * @param run has a thread do this
 * @param waitNanos how long a step waits for a mask once all else of it is on its way
 */
record MaskThreads(Consumer<Runnable> run, long waitNanos) {
    /** So many masks that take long leave room for the others. */
    private static final int LEAST = 4;

    private static final long IDLE_SECONDS = 10;

    /** Threads that end when there is nothing to do for a while. */
    static MaskThreads of(EngineOptions options) {
        int most = Math.max(LEAST, Runtime.getRuntime().availableProcessors());
        var pool =
                new ThreadPoolExecutor(
                        most,
                        most,
                        IDLE_SECONDS,
                        TimeUnit.SECONDS,
                        new LinkedBlockingQueue<>(),
                        Thread.ofPlatform().daemon().name("cortado-masks-", 0).factory());
        pool.allowCoreThreadTimeOut(true);
        return new MaskThreads(pool::execute, waitOf(options));
    }

    static long waitOf(EngineOptions options) {
        return TimeUnit.MILLISECONDS.toNanos(options.maskWaitMs());
    }
}
