package io.cortado.model;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;

/**
 * Parser of a safetensors header. It reads token by token, so that what a hostile header costs is
 * bounded by its length, and stops at the first thing that is not as the format says.
 */
final class SafetensorsHeader {
    private static final int MAX_DIMENSIONS = 16;
    private static final int MAX_TENSORS = 1 << 20;

    /** A tensor as the header tells it: offsets count from the end of the header. */
    record Entry(String name, TensorType type, List<Long> shape, long begin, long end) {}

    private final JsonParser parser;

    private SafetensorsHeader(JsonParser parser) {
        this.parser = parser;
    }

    /** Entries in the order of the header. */
    static List<Entry> parse(JsonParser parser) {
        return new SafetensorsHeader(parser).entries();
    }

    private List<Entry> entries() {
        expect(JsonToken.START_OBJECT, parser.nextToken(), "the header");
        Map<String, Entry> entries = new LinkedHashMap<>();
        while (parser.nextToken() != JsonToken.END_OBJECT) {
            String name = parser.currentName();
            expect(JsonToken.START_OBJECT, parser.nextToken(), shortened(name));
            if (name.equals("__metadata__")) {
                metadata();
            } else if (entries.put(name, entry(name)) != null) {
                throw malformed("has tensor " + shortened(name) + " twice");
            } else if (entries.size() > MAX_TENSORS) {
                throw malformed("has more than " + MAX_TENSORS + " tensors");
            }
        }
        if (parser.nextToken() != null) {
            throw malformed("has something after the header's object");
        }
        return List.copyOf(entries.values());
    }

    private void metadata() {
        while (parser.nextToken() != JsonToken.END_OBJECT) {
            String key = parser.currentName();
            expect(JsonToken.VALUE_STRING, parser.nextToken(), "__metadata__." + shortened(key));
        }
    }

    private Entry entry(String name) {
        @Nullable TensorType type = null;
        @Nullable List<Long> shape = null;
        @Nullable List<Long> offsets = null;
        Set<String> seen = new HashSet<>();
        while (parser.nextToken() != JsonToken.END_OBJECT) {
            String field = parser.currentName();
            JsonToken value = parser.nextToken();
            if (!seen.add(field)) {
                throw malformed("tensor " + shortened(name) + " has " + field + " twice");
            }
            switch (field) {
                case "dtype" -> type = type(name, value);
                case "shape" -> shape = numbers(name, field, value, MAX_DIMENSIONS);
                case "data_offsets" -> offsets = numbers(name, field, value, 2);
                default ->
                        throw malformed(
                                "tensor " + shortened(name) + " has unknown " + shortened(field));
            }
        }
        if (type == null || shape == null || offsets == null || offsets.size() != 2) {
            throw malformed(
                    "tensor " + shortened(name) + " needs dtype, shape and two data_offsets");
        }
        return new Entry(name, type, shape, offsets.getFirst(), offsets.getLast());
    }

    private TensorType type(String name, JsonToken value) {
        expect(JsonToken.VALUE_STRING, value, shortened(name) + ".dtype");
        String text = parser.getString();
        TensorType type = TensorType.find(text);
        if (type == null) {
            throw malformed("tensor " + shortened(name) + " has unknown dtype " + shortened(text));
        }
        return type;
    }

    private List<Long> numbers(String name, String field, JsonToken value, int limit) {
        String where = shortened(name) + "." + field;
        expect(JsonToken.START_ARRAY, value, where);
        List<Long> numbers = new ArrayList<>();
        JsonToken token = parser.nextToken();
        while (token != JsonToken.END_ARRAY) {
            expect(JsonToken.VALUE_NUMBER_INT, token, where);
            boolean fits =
                    parser.getNumberType() == JsonParser.NumberType.INT
                            || parser.getNumberType() == JsonParser.NumberType.LONG;
            if (!fits || parser.getLongValue() < 0 || numbers.size() == limit) {
                throw malformed(
                        "%s must hold at most %d whole numbers from 0 to 2^63: %s"
                                .formatted(where, limit, shortened(parser.getString())));
            }
            numbers.add(parser.getLongValue());
            token = parser.nextToken();
        }
        return List.copyOf(numbers);
    }

    private static void expect(JsonToken wanted, @Nullable JsonToken found, String where) {
        if (found != wanted) {
            throw malformed(where + " must be " + wanted + ", found " + found);
        }
    }

    static ModelException malformed(String what) {
        return ModelException.invalid("malformed safetensors: " + what);
    }

    static String shortened(String text) {
        return text.length() <= 100 ? text : text.substring(0, 100) + "...";
    }
}
