package io.cortado.bench;

import java.util.Arrays;
import java.util.Locale;

/** A sample's order statistics; percentiles interpolate between neighbours. */
public final class Summary {
    private final double[] sorted;

    private Summary(double[] sorted) {
        this.sorted = sorted;
    }

    public static Summary of(double[] sample) {
        if (sample.length == 0) {
            throw new IllegalArgumentException("a summary needs at least one value: count=0");
        }
        double[] sorted = sample.clone();
        Arrays.sort(sorted);
        return new Summary(sorted);
    }

    /** The value below which the share {@code q} in [0, 1] of the sample lies. */
    public double percentile(double q) {
        if (!(q >= 0 && q <= 1)) {
            throw new IllegalArgumentException("q must be in [0, 1]: q=" + q);
        }
        double place = q * (sorted.length - 1);
        int low = (int) place;
        int high = Math.min(low + 1, sorted.length - 1);
        return sorted[low] + (place - low) * (sorted[high] - sorted[low]);
    }

    public double median() {
        return percentile(0.5);
    }

    public double mean() {
        return Arrays.stream(sorted).average().orElseThrow();
    }

    public double min() {
        return sorted[0];
    }

    public double max() {
        return sorted[sorted.length - 1];
    }

    public int count() {
        return sorted.length;
    }

    /** Half the distance from the 10th to the 90th percentile, as a share of the median. */
    public double spread() {
        double median = median();
        return median == 0 ? 0 : (percentile(0.9) - percentile(0.1)) / 2 / Math.abs(median);
    }

    /** {@code median +-spread%} for a table. */
    public String text(String format) {
        return String.format(Locale.ROOT, format + " ±%.0f%%", median(), 100 * spread());
    }
}
