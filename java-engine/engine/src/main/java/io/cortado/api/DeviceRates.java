package io.cortado.api;

import java.nio.file.Path;
import java.time.Instant;

/**
 * What a device was measured to do: the base of predictions.
 *
 * @param device name and what sets its speed
 * @param processor its own name
 * @param measured when the first of the rates was
 * @param isFromCache false: now
 * @param file of the cache
 * @param note why what the file held was not used; empty where it was, or there was none
 * @param readBytesPerSecond from memory by all threads
 * @param bf16FlopsPerSecond multiply-accumulates count twice
 * @param operationMicros of an operation that has next to nothing to do and that all threads share
 * @param turnaroundMicros from handing over an operation to knowing that it has run
 */
public record DeviceRates(
        String device,
        String processor,
        int threads,
        Instant measured,
        boolean isFromCache,
        Path file,
        String note,
        double readBytesPerSecond,
        double bf16FlopsPerSecond,
        double f32FlopsPerSecond,
        double operationMicros,
        double turnaroundMicros) {}
