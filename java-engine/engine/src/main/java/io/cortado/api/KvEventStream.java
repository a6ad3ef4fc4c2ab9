package io.cortado.api;

import org.jspecify.annotations.Nullable;

/**
 * Reads what an engine's prefix cache gains and loses. A reader never slows the engine down: the
 * last events are kept, and one that falls behind them is told so. One thread reads; any may close.
 */
public interface KvEventStream extends AutoCloseable {
    /** Waits for the next event; null: the stream or its engine was closed. */
    @Nullable KvEvent next() throws InterruptedException;

    @Override
    void close();
}
