package io.cortado.bench.traces;

import java.util.Arrays;

/** Mean, median, 99th percentile and most of a trace's lengths; percentiles are lengths of it. */
public record LengthFacts(double mean, int p50, int p99, int max) {
    public static LengthFacts of(int[] lengths) {
        int[] sorted = lengths.clone();
        Arrays.sort(sorted);
        int n = sorted.length;
        return new LengthFacts(
                Arrays.stream(sorted).average().orElseThrow(),
                sorted[n / 2],
                sorted[(int) (0.99 * n)],
                sorted[n - 1]);
    }
}
