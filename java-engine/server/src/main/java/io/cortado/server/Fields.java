package io.cortado.server;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Typed, ranged access to an object's fields. A null value is an absent one; each access also marks
 * the field as known, so that {@link #refuseUnknown} can tell what is left.
 */
final class Fields {
    private final ObjectNode object;
    private final String prefix;
    private final Set<String> known = new HashSet<>();

    Fields(ObjectNode object, String prefix) {
        this.object = object;
        this.prefix = prefix;
    }

    static Fields of(ObjectNode object) {
        return new Fields(object, "");
    }

    /** The field's JSON path. */
    String path(String name) {
        return prefix + name;
    }

    @Nullable JsonNode node(String name) {
        known.add(name);
        JsonNode node = object.get(name);
        return node == null || node.isNull() ? null : node;
    }

    boolean has(String name) {
        return node(name) != null;
    }

    /** These are known and need nothing. */
    void ignore(String... names) {
        known.addAll(List.of(names));
    }

    @Nullable Boolean bool(String name) {
        JsonNode node = node(name);
        if (node == null) {
            return null;
        }
        require(node.isBoolean(), name, "a boolean", node);
        return node.booleanValue();
    }

    boolean bool(String name, boolean absent) {
        Boolean value = bool(name);
        return value == null ? absent : value;
    }

    @Nullable Long integer(String name, long low, long high) {
        JsonNode node = node(name);
        return node == null ? null : integer(node, name, low, high);
    }

    int integer(String name, int low, int high, int absent) {
        Long value = integer(name, low, high);
        return value == null ? absent : value.intValue();
    }

    /** An element of the field {@code name}: 1.0 is an integer, "1" and 1.5 are not. */
    long integer(JsonNode node, String name, long low, long high) {
        require(node.isNumber(), name, "an integer", node);
        if (node.isFloatingPointNumber()) {
            double value = node.doubleValue();
            boolean exact = value == Math.rint(value) && Math.abs(value) < 9e15;
            require(exact, name, "an integer", node);
            return inRange((long) value, name, low, high);
        }
        require(node.canConvertToLong(), name, "in [" + low + ", " + high + "]", node);
        return inRange(node.longValue(), name, low, high);
    }

    private long inRange(long value, String name, long low, long high) {
        if (value < low || value > high) {
            throw ApiError.invalid(
                    path(name),
                    path(name) + " must be in [" + low + ", " + high + "]: " + value);
        }
        return value;
    }

    @Nullable Double number(String name, double low, double high) {
        JsonNode node = node(name);
        if (node == null) {
            return null;
        }
        require(node.isNumber(), name, "a number", node);
        double value = node.doubleValue();
        if (!(value >= low && value <= high)) {
            throw ApiError.invalid(
                    path(name),
                    path(name) + " must be in [" + low + ", " + high + "]: " + value);
        }
        return value;
    }

    @Nullable String string(String name) {
        JsonNode node = node(name);
        if (node == null) {
            return null;
        }
        require(node.isString(), name, "a string", node);
        return node.stringValue();
    }

    String requiredString(String name) {
        String value = string(name);
        if (value == null) {
            throw ApiError.invalid(path(name), path(name) + " is required.");
        }
        return value;
    }

    @Nullable String oneOf(String name, Set<String> values) {
        String value = string(name);
        if (value != null && !values.contains(value)) {
            throw ApiError.invalid(
                    path(name),
                    path(name) + " must be one of " + values.stream().sorted().toList() + ".");
        }
        return value;
    }

    @Nullable Fields object(String name) {
        JsonNode node = node(name);
        if (node == null) {
            return null;
        }
        require(node.isObject(), name, "an object", node);
        return new Fields((ObjectNode) node, path(name) + ".");
    }

    /** The elements of an array field; empty where absent. */
    List<JsonNode> array(String name, int max) {
        JsonNode node = node(name);
        if (node == null) {
            return List.of();
        }
        require(node.isArray(), name, "an array", node);
        if (node.size() > max) {
            throw ApiError.invalid(
                    path(name),
                    path(name) + " must have at most " + max + " entries: " + node.size());
        }
        return new ArrayList<>(node.values());
    }

    /** The object at place {@code i} of the array {@code name}. */
    Fields element(String name, int i, JsonNode node) {
        String place = name + "[" + i + "]";
        require(node.isObject(), place, "an object", node);
        return new Fields((ObjectNode) node, path(place) + ".");
    }

    ObjectNode raw() {
        return object;
    }

    void require(boolean holds, String name, String what, JsonNode node) {
        if (!holds) {
            throw ApiError.invalid(
                    path(name), path(name) + " must be " + what + ": it is " + kind(node) + ".");
        }
    }

    /** Never the value: it may be long, and is the client's. */
    private static String kind(JsonNode node) {
        return switch (node.getNodeType()) {
            case ARRAY -> "an array";
            case BOOLEAN -> "a boolean";
            case NULL -> "null";
            case NUMBER -> node.isIntegralNumber() ? "an integer" : "a fraction";
            case OBJECT -> "an object";
            case STRING -> "a string";
            case BINARY, MISSING, POJO -> "nothing";
        };
    }

    /** Strict mode: a field that nothing has asked for is an error. */
    void refuseUnknown() {
        for (String name : object.propertyNames()) {
            if (!known.contains(name)) {
                String shown = name.length() > 64 ? name.substring(0, 64) + "…" : name;
                throw ApiError.of(
                        io.netty.handler.codec.http.HttpResponseStatus.BAD_REQUEST,
                        "Unknown field: " + shown,
                        shown,
                        "unknown_parameter");
            }
        }
    }
}
