package io.cortado.engine;

/** Keys of the random numbers. */
final class Seeds {
    private static final long GOLDEN = 0x9E3779B97F4A7C15L;

    private Seeds() {}

    /** An answer's own seed, so that the n answers of one request differ (SplitMix64). */
    static long ofAnswer(long requestSeed, int index) {
        long z = requestSeed + (index + 1) * GOLDEN;
        z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
        return z ^ (z >>> 31);
    }
}
