package io.cortado.model;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * A JSON object that remembers which of its keys were asked for, so that what nobody understood can
 * be refused. A null counts as absent.
 */
final class ConfigJson {
    private final String where;
    private final JsonNode root;
    private final Set<String> understood = new TreeSet<>();

    ConfigJson(String where, JsonNode root) {
        this.where = where;
        this.root = root;
    }

    String where() {
        return where;
    }

    boolean has(String key) {
        return find(key) != null;
    }

    /** True if the key is there and its value is null. */
    boolean saysNull(String key) {
        JsonNode value = root.get(key);
        return value != null && value.isNull();
    }

    /** The value, or null if it is absent or null. */
    @Nullable JsonNode find(String key) {
        understood.add(key);
        JsonNode value = root.get(key);
        return value == null || value.isNull() ? null : value;
    }

    int integer(String key, int low, int high) {
        JsonNode value = find(key);
        if (value == null) {
            throw ModelException.invalid(where + " has no " + key);
        }
        return integer(key, value, low, high);
    }

    int integer(String key, int low, int high, int absent) {
        JsonNode value = find(key);
        return value == null ? absent : integer(key, value, low, high);
    }

    private int integer(String key, JsonNode value, int low, int high) {
        double number = value.isNumber() ? value.doubleValue() : Double.NaN;
        if (number != Math.rint(number) || !(number >= low && number <= high)) {
            throw ModelException.invalid(
                    "%s: %s must be a whole number in [%d, %d]: %s=%s"
                            .formatted(where, key, low, high, key, shortened(value)));
        }
        return (int) number;
    }

    double number(String key, double low, double high, double absent) {
        JsonNode value = find(key);
        if (value == null) {
            return absent;
        }
        double number = value.isNumber() ? value.doubleValue() : Double.NaN;
        if (!(number >= low && number <= high)) {
            throw ModelException.invalid(
                    "%s: %s must be a number in [%s, %s]: %s=%s"
                            .formatted(where, key, low, high, key, shortened(value)));
        }
        return number;
    }

    double number(String key, double low, double high) {
        double number = number(key, low, high, Double.NaN);
        if (Double.isNaN(number)) {
            throw ModelException.invalid(where + " has no " + key);
        }
        return number;
    }

    boolean flag(String key, boolean absent) {
        JsonNode value = find(key);
        if (value == null) {
            return absent;
        }
        if (!value.isBoolean()) {
            throw ModelException.invalid(
                    "%s: %s must be true or false: %s=%s"
                            .formatted(where, key, key, shortened(value)));
        }
        return value.booleanValue();
    }

    @Nullable String text(String key) {
        JsonNode value = find(key);
        if (value != null && !value.isString()) {
            throw ModelException.invalid(
                    "%s: %s must be a string: %s=%s".formatted(where, key, key, shortened(value)));
        }
        return value == null ? null : value.stringValue();
    }

    /** A list of strings, or null if absent. */
    @Nullable List<String> texts(String key) {
        JsonNode value = find(key);
        if (value == null) {
            return null;
        }
        List<String> texts = new ArrayList<>();
        for (JsonNode item : value) {
            texts.add(item.isString() ? item.stringValue() : item.toString());
        }
        if (!value.isArray()) {
            throw ModelException.invalid(where + ": " + key + " must be a list of strings");
        }
        return texts;
    }

    /** A list of numbers, each within the limits. */
    List<Double> numbers(String key, double low, double high) {
        JsonNode value = find(key);
        if (value == null || !value.isArray()) {
            throw ModelException.invalid(where + ": " + key + " must be a list of numbers");
        }
        List<Double> numbers = new ArrayList<>();
        for (JsonNode item : value) {
            double number = item.isNumber() ? item.doubleValue() : Double.NaN;
            if (!(number >= low && number <= high)) {
                throw ModelException.invalid(
                        "%s: %s must hold numbers in [%s, %s]: %s"
                                .formatted(where, key, low, high, shortened(item)));
            }
            numbers.add(number);
        }
        return List.copyOf(numbers);
    }

    /** One id or a list of them; those outside [0, limit) can never be drawn and are left out. */
    List<Integer> ids(String key, int limit) {
        JsonNode value = find(key);
        List<Integer> ids = new ArrayList<>();
        if (value == null) {
            return ids;
        }
        for (JsonNode item : value.isArray() ? value : List.of(value)) {
            if (!item.isIntegralNumber()) {
                throw ModelException.invalid(
                        "%s: %s must be an id or a list of ids: %s=%s"
                                .formatted(where, key, key, shortened(value)));
            }
            if (item.canConvertToInt() && item.intValue() >= 0 && item.intValue() < limit) {
                ids.add(item.intValue());
            }
        }
        return ids;
    }

    @Nullable ConfigJson object(String key) {
        JsonNode value = find(key);
        if (value == null) {
            return null;
        }
        if (!value.isObject()) {
            throw ModelException.invalid(where + ": " + key + " must be an object");
        }
        return new ConfigJson(where + ": " + key, value);
    }

    Collection<String> keys() {
        return root.propertyNames();
    }

    /** Two whole numbers of at least 1. */
    List<Long> positivePair(String key) {
        JsonNode value = find(key);
        List<Long> pair = new ArrayList<>();
        if (value != null && value.isArray() && value.size() == 2) {
            for (JsonNode item : value) {
                if (item.isIntegralNumber() && item.canConvertToInt() && item.intValue() >= 1) {
                    pair.add(item.longValue());
                }
            }
        }
        if (pair.size() != 2) {
            throw ModelException.invalid(
                    "%s: %s must be two positive numbers: %s=%s"
                            .formatted(where, key, key, value == null ? "" : shortened(value)));
        }
        return List.copyOf(pair);
    }

    /** Refuses every other text by name; absent is fine. */
    void requireOneOf(String key, String... allowed) {
        String value = text(key);
        if (value != null && !List.of(allowed).contains(value)) {
            throw ModelException.unsupported(
                    "%s: %s must be one of %s here: %s=%s"
                            .formatted(where, key, List.of(allowed), key, value));
        }
    }

    /** Refuses every other number, and none. */
    void requireNumber(String key, int wanted) {
        int value = integer(key, Integer.MIN_VALUE, Integer.MAX_VALUE);
        if (value != wanted) {
            throw ModelException.unsupported(
                    "%s: %s must be %d here: %s=%d".formatted(where, key, wanted, key, value));
        }
    }

    void requireNothing(String key) {
        JsonNode value = find(key);
        if (value != null) {
            throw ModelException.unsupported(
                    "%s: %s must be absent here: %s=%s"
                            .formatted(where, key, key, shortened(value)));
        }
    }

    /** A key that may only say what this engine does. */
    void require(String key, String expected) {
        require(key, expected, text(key));
    }

    void require(String key, boolean expected) {
        require(key, expected, flag(key, expected));
    }

    void require(String key, double expected) {
        require(key, expected, number(key, -1e9, 1e9, expected));
    }

    private void require(String key, Object expected, @Nullable Object value) {
        if (value != null && !value.equals(expected)) {
            throw ModelException.unsupported(
                    "%s: %s must be %s here: %s=%s".formatted(where, key, expected, key, value));
        }
    }

    /** True if someone has asked for the key. */
    boolean isUnderstood(String key) {
        return understood.contains(key);
    }

    void ignore(Set<String> keys) {
        understood.addAll(keys);
    }

    /** Keys with a value that could change the arithmetic and that nobody asked for. */
    void refuseWhatNobodyUnderstood() {
        for (Map.Entry<String, JsonNode> entry : root.properties()) {
            String key = entry.getKey();
            if (!understood.contains(key) && !key.startsWith("_") && mayMatter(entry.getValue())) {
                throw ModelException.unsupported(
                        "%s: this engine does not understand %s=%s"
                                .formatted(where, key, shortened(entry.getValue())));
            }
        }
    }

    private static boolean mayMatter(JsonNode value) {
        boolean says = value.isNumber() || value.isString() || value.isContainer();
        return value.isContainer() ? !value.isEmpty() : says || value.asBoolean(false);
    }

    static String shortened(JsonNode value) {
        String text = value.toString();
        return text.length() <= 80 ? text : text.substring(0, 80) + "...";
    }
}
