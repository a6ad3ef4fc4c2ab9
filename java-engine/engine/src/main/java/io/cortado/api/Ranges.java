package io.cortado.api;

/** Refuses what is out of range, with the field's name, its range and the value. */
final class Ranges {
    private Ranges() {}

    static void require(boolean holds, String name, String limit, Object value) {
        if (!holds) {
            throw EngineException.invalid(
                    name, name + " must be " + limit + ": " + name + "=" + value);
        }
    }

    /** Both ends belong to it; NaN is refused. */
    static void within(String name, float low, float high, float value) {
        require(
                value >= low && value <= high,
                name,
                "in [" + number(low) + ", " + number(high) + "]",
                value);
    }

    static void within(String name, int low, int high, int value) {
        require(value >= low && value <= high, name, "in [" + low + ", " + high + "]", value);
    }

    private static String number(float value) {
        return value == Math.rint(value) ? String.valueOf((long) value) : String.valueOf(value);
    }
}
