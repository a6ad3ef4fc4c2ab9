package io.cortado.bench;

import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** One measured number, as scripts read it: {@code RESULT <metric> <value> <unit>}. */
public record ResultLine(String metric, double value, String unit) {
    private static final Pattern METRIC = Pattern.compile("[a-z][a-z0-9_]*");
    private static final Pattern UNIT = Pattern.compile("[A-Za-z0-9/%_]+");
    private static final Pattern LINE = Pattern.compile("RESULT (\\S+) (\\S+) (\\S+)");

    public ResultLine {
        require(METRIC.matcher(metric).matches(), "metric", METRIC, metric);
        require(UNIT.matcher(unit).matches(), "unit", UNIT, unit);
        if (!Double.isFinite(value)) {
            throw new IllegalArgumentException(
                    "value must be finite: metric=" + metric + " value=" + value);
        }
    }

    private static void require(boolean holds, String name, Pattern pattern, String value) {
        if (!holds) {
            throw new IllegalArgumentException(
                    name + " must match " + pattern + ": " + name + "=" + value);
        }
    }

    /** Reads a line back; empty where it is not one of ours. */
    public static Optional<ResultLine> parse(String line) {
        Matcher matcher = LINE.matcher(line);
        if (!matcher.matches()) {
            return Optional.empty();
        }
        try {
            double value = Double.parseDouble(matcher.group(2));
            return Optional.of(new ResultLine(matcher.group(1), value, matcher.group(3)));
        } catch (IllegalArgumentException e) {
            return Optional.empty();
        }
    }

    /** Whole numbers without a fraction, others with six significant digits. */
    String valueText() {
        if (value == Math.rint(value) && Math.abs(value) < 1e15) {
            return Long.toString((long) value);
        }
        double magnitude = Math.floor(Math.log10(Math.abs(value)));
        int decimals = (int) Math.clamp(5 - magnitude, 0, 12);
        return String.format(Locale.ROOT, "%." + decimals + "f", value);
    }

    @Override
    public String toString() {
        return "RESULT " + metric + " " + valueText() + " " + unit;
    }
}
