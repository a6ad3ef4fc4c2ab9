package io.cortado.device;

import java.util.Arrays;

/**
 * Something measured at some sizes: between two of them a straight line.
 *
 * @param sizes rising, at least one
 * @param values positive and finite
 */
public record Curve(double[] sizes, double[] values) {
    public Curve {
        sizes = sizes.clone();
        values = values.clone();
        if (sizes.length == 0 || sizes.length != values.length) {
            throw new IllegalArgumentException(
                    "a curve must have a value for each of its sizes, at least one: sizes=%d values=%d"
                            .formatted(sizes.length, values.length));
        }
        for (int i = 0; i < sizes.length; i++) {
            boolean rises = i == 0 ? sizes[0] > 0 : sizes[i] > sizes[i - 1];
            if (!rises || !Double.isFinite(sizes[i])) {
                throw new IllegalArgumentException(
                        "sizes must be positive, finite and rise: " + Arrays.toString(sizes));
            }
            if (!(values[i] > 0 && Double.isFinite(values[i]))) {
                throw new IllegalArgumentException(
                        "values must be positive and finite: " + Arrays.toString(values));
            }
        }
    }

    /** One value for every size. */
    public static Curve constant(double value) {
        return new Curve(new double[] {1}, new double[] {value});
    }

    @Override
    public double[] sizes() {
        return sizes.clone();
    }

    @Override
    public double[] values() {
        return values.clone();
    }

    /** Beyond the last size the last line goes on, unless it falls; below the first its value. */
    public double at(double size) {
        int last = sizes.length - 1;
        if (last > 0 && size > sizes[last]) {
            double rise = (values[last] - values[last - 1]) / (sizes[last] - sizes[last - 1]);
            return values[last] + Math.max(0, rise) * (size - sizes[last]);
        }
        return within(size);
    }

    /** Beyond either end its value. */
    public double within(double size) {
        int found = Arrays.binarySearch(sizes, size);
        int above = found >= 0 ? found : -found - 1;
        if (found >= 0 || above == 0) {
            return values[above];
        }
        if (above == sizes.length) {
            return values[above - 1];
        }
        double part = (size - sizes[above - 1]) / (sizes[above] - sizes[above - 1]);
        return values[above - 1] + part * (values[above] - values[above - 1]);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Curve curve
                && Arrays.equals(sizes, curve.sizes)
                && Arrays.equals(values, curve.values);
    }

    @Override
    public int hashCode() {
        return 31 * Arrays.hashCode(sizes) + Arrays.hashCode(values);
    }

    @Override
    public String toString() {
        return Arrays.toString(sizes) + " -> " + Arrays.toString(values);
    }
}
