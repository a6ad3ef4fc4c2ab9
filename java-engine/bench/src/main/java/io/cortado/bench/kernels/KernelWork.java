package io.cortado.bench.kernels;

import io.cortado.device.Probe;
import java.util.function.IntConsumer;

/**
 * A prepared case.
 *
 * @param bytes that one operation must read and write at least
 * @param flops of one operation
 * @param arithmetic which peak the flops are held against
 * @param variants sets of buffers, together larger than the caches
 * @param enqueue enqueues one operation on the given variant
 */
public record KernelWork(
        long bytes, long flops, Probe arithmetic, int variants, IntConsumer enqueue) {}
