package io.cortado.api;

import org.jspecify.annotations.Nullable;

/**
 * The events of one request. For one consumer at a time; cancel may come from any thread. What is
 * not read is kept, at most the whole answers; a request whose output nobody comes for while it
 * runs is cancelled after {@link EngineOptions#unreadTimeoutMs}.
 */
public interface GenerationStream extends AutoCloseable {

    /**
     * Waits for the next event; null after Completed or Failed.
     *
     * @throws InterruptedException if the thread was interrupted; the request is cancelled then
     */
    @Nullable GenerationEvent next() throws InterruptedException;

    /** Ends the request within one step and frees its blocks. Its answers finish with Cancelled. */
    void cancel();

    /** Cancels what has not ended. */
    @Override
    void close();
}
