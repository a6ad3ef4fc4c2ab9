package io.cortado.api;

/**
 * A temperature between {@code temperature - range} (at least 0) and {@code temperature + range},
 * by the entropy of the row: {@code low + (high - low) * (entropy / its maximum)^exponent}.
 *
 * @param range in [0, 2]; 0: off
 * @param exponent in (0, 10]
 */
public record DynamicTemperature(float range, float exponent) {

    public static final DynamicTemperature OFF = new DynamicTemperature(0, 1);

    public DynamicTemperature {
        Ranges.within("dynatemp_range", 0, 2, range);
        Ranges.require(exponent > 0 && exponent <= 10, "dynatemp_exponent", "in (0, 10]", exponent);
    }

    public boolean isOff() {
        return range == 0;
    }

    public DynamicTemperature range(float value) {
        return new DynamicTemperature(value, exponent);
    }

    public DynamicTemperature exponent(float value) {
        return new DynamicTemperature(range, value);
    }
}
