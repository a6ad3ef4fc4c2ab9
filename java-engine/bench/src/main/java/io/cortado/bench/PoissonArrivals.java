package io.cortado.bench;

import java.util.SplittableRandom;

/**
 * When the requests of an open loop come: gaps drawn from the exponential distribution, whatever
 * the server does.
 */
final class PoissonArrivals {
    private static final double NANOS = 1e9;

    private PoissonArrivals() {}

    /**
     * Nanoseconds from the start, rising, for {@code count} requests.
     *
     * @param perSecond mean rate; infinity: all at once
     */
    static long[] schedule(int count, double perSecond, long seed) {
        if (count < 1) {
            throw new IllegalArgumentException("count must be positive: count=" + count);
        }
        if (!(perSecond > 0)) {
            throw new IllegalArgumentException("rate must be positive: rate=" + perSecond);
        }
        SplittableRandom random = new SplittableRandom(seed);
        long[] arrivals = new long[count];
        double at = 0;
        for (int i = 0; i < count; i++) {
            arrivals[i] = (long) at;
            at += -Math.log(1 - random.nextDouble()) / perSecond * NANOS;
        }
        return arrivals;
    }
}
