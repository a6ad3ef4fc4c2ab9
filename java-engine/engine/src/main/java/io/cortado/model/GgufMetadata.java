package io.cortado.model;

import java.lang.foreign.MemorySegment;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * The keys of a GGUF file. Reading them checks every value and keeps none: a value is decoded when
 * it is asked for, so that a file costs what is used of it. Lives as long as the file is mapped.
 */
final class GgufMetadata {
    private static final int MAX_KEY_BYTES = 65535;
    private static final int MAX_KEYS = 1 << 16;
    private static final int MAX_ELEMENTS = 1 << 24;
    private static final int MAX_TEXT_BYTES = 1 << 24;

    /** A key's length, one letter, the type and one byte of value. */
    private static final int LEAST_BYTES_OF_PAIR = 8 + 1 + 4 + 1;

    /** The value types of the format, in the order of their codes. */
    private enum Type {
        UINT8(1),
        INT8(1),
        UINT16(2),
        INT16(2),
        UINT32(4),
        INT32(4),
        FLOAT32(4),
        BOOL(1),
        STRING(8),
        ARRAY(12),
        UINT64(8),
        INT64(8),
        FLOAT64(8);

        /** At least, for the types that have no fixed size. */
        final int bytes;

        Type(int bytes) {
            this.bytes = bytes;
        }

        boolean isInteger() {
            return this != FLOAT32 && this != FLOAT64 && this != BOOL && !isLong();
        }

        private boolean isLong() {
            return this == STRING || this == ARRAY;
        }
    }

    /**
     * Where a value lies.
     *
     * @param type of the value, or of the elements
     * @param count of an array's elements, or 1
     */
    private record Value(Type type, boolean isArray, int count, long at) {}

    private final MemorySegment bytes;
    private final Map<String, Value> values = new LinkedHashMap<>();

    private GgufMetadata(MemorySegment bytes) {
        this.bytes = bytes;
    }

    static long readCount(GgufCursor cursor) {
        long count = cursor.count("metadata_kv_count", LEAST_BYTES_OF_PAIR);
        if (count > MAX_KEYS) {
            throw GgufCursor.malformed(
                    "metadata_kv_count must be at most " + MAX_KEYS + ": " + count);
        }
        return count;
    }

    static GgufMetadata read(MemorySegment bytes, GgufCursor cursor, long count) {
        GgufMetadata metadata = new GgufMetadata(bytes);
        for (long i = 0; i < count; i++) {
            metadata.readPair(cursor, i);
        }
        return metadata;
    }

    private void readPair(GgufCursor cursor, long index) {
        String key = cursor.string("key " + index, MAX_KEY_BYTES);
        if (key.isEmpty()) {
            throw GgufCursor.malformed("key " + index + " is empty");
        }
        String field = SafetensorsHeader.shortened(key);
        Type type = type(cursor, field);
        boolean isArray = type == Type.ARRAY;
        int count = 1;
        if (isArray) {
            type = type(cursor, field + " elements");
            if (type == Type.ARRAY) {
                throw GgufCursor.malformed(field + " is an array of arrays");
            }
            long elements = cursor.count(field + " length", type.bytes);
            if (elements > MAX_ELEMENTS) {
                throw GgufCursor.malformed(
                        field + " must have at most " + MAX_ELEMENTS + " elements: " + elements);
            }
            count = (int) elements;
        }
        if (values.put(key, new Value(type, isArray, count, cursor.at())) != null) {
            throw GgufCursor.malformed("key " + field + " is there twice");
        }
        skip(cursor, field, type, count);
    }

    private static Type type(GgufCursor cursor, String field) {
        long code = cursor.uint32(field + " type");
        if (code >= Type.values().length) {
            throw GgufCursor.malformed(field + " has the unknown value type " + code);
        }
        return Type.values()[(int) code];
    }

    private static void skip(GgufCursor cursor, String field, Type type, int count) {
        switch (type) {
            case STRING -> {
                for (int i = 0; i < count; i++) {
                    cursor.skipString(field);
                }
            }
            case BOOL -> {
                for (int i = 0; i < count; i++) {
                    bool(cursor, field);
                }
            }
            default -> cursor.skip((long) count * type.bytes, field);
        }
    }

    private static boolean bool(GgufCursor cursor, String field) {
        int value = cursor.uint8(field);
        if (value > 1) {
            throw GgufCursor.malformed(field + " must be a bool of value 0 or 1: " + value);
        }
        return value == 1;
    }

    Set<String> keys() {
        return values.keySet();
    }

    boolean has(String key) {
        return values.containsKey(key);
    }

    /** Elements of an array, or null if absent. */
    @Nullable Integer length(String key) {
        Value value = find(key, "an array", Value::isArray);
        return value == null ? null : (Integer) value.count;
    }

    @Nullable String text(String key) {
        Value value = find(key, "a string", v -> v.type == Type.STRING && !v.isArray);
        return value == null ? null : (String) scalar(cursor(value), key, value.type);
    }

    /** Strings, or null if absent. */
    @Nullable List<String> texts(String key) {
        Value value = find(key, "an array of strings", v -> v.type == Type.STRING && v.isArray);
        return value == null ? null : list(key, value, String.class);
    }

    /** A whole number as Long or BigInteger, or a list of them; null if absent. */
    @Nullable Object integers(String key) {
        Value value = find(key, "a whole number", v -> v.type.isInteger());
        return value == null ? null : decode(key, value);
    }

    @Nullable Double number(String key) {
        Value value =
                find(key, "a number", v -> !v.isArray && (v.type.isInteger() || isFloat(v.type)));
        return value == null ? null : (Double) ((Number) decode(key, value)).doubleValue();
    }

    @Nullable Boolean flag(String key) {
        Value value = find(key, "a bool", v -> v.type == Type.BOOL && !v.isArray);
        return value == null ? null : (Boolean) decode(key, value);
    }

    /** Bools, or null if absent. */
    @Nullable List<Boolean> flags(String key) {
        Value value = find(key, "an array of bools", v -> v.type == Type.BOOL && v.isArray);
        return value == null ? null : list(key, value, Boolean.class);
    }

    boolean isArray(String key) {
        Value value = values.get(key);
        return value != null && value.isArray;
    }

    boolean isUint32(String key) {
        Value value = values.get(key);
        return value != null && value.type == Type.UINT32 && !value.isArray;
    }

    /**
     * The decoded values of these keys: Long or BigInteger, Float or Double, Boolean, String, or a
     * list of these.
     */
    Map<String, Object> decoded(Predicate<String> keys) {
        Map<String, Object> decoded = new LinkedHashMap<>();
        values.forEach((key, value) -> {
            if (keys.test(key)) {
                decoded.put(key, decode(key, value));
            }
        });
        return decoded;
    }

    private static boolean isFloat(Type type) {
        return type == Type.FLOAT32 || type == Type.FLOAT64;
    }

    private @Nullable Value find(String key, String wanted, Predicate<Value> fits) {
        Value value = values.get(key);
        if (value != null && !fits.test(value)) {
            throw GgufCursor.malformed(
                    "%s must be %s: it is %s%s"
                            .formatted(
                                    key, wanted, value.isArray ? "an array of " : "", value.type));
        }
        return value;
    }

    private GgufCursor cursor(Value value) {
        return new GgufCursor(bytes, value.at);
    }

    private Object decode(String key, Value value) {
        return value.isArray
                ? list(key, value, Object.class)
                : scalar(cursor(value), key, value.type);
    }

    private <T> List<T> list(String key, Value value, Class<T> type) {
        GgufCursor cursor = cursor(value);
        List<T> list = new ArrayList<>(value.count);
        for (int i = 0; i < value.count; i++) {
            list.add(type.cast(scalar(cursor, key, value.type)));
        }
        return list;
    }

    private static Object scalar(GgufCursor cursor, String key, Type type) {
        return switch (type) {
            case UINT8 -> (long) cursor.uint8(key);
            case INT8 -> (long) (byte) cursor.uint8(key);
            case UINT16 -> cursor.int16(key) & 0xffffL;
            case INT16 -> (long) cursor.int16(key);
            case UINT32 -> cursor.uint32(key);
            case INT32 -> (long) cursor.int32(key);
            case FLOAT32 -> Float.intBitsToFloat(cursor.int32(key));
            case BOOL -> bool(cursor, key);
            case STRING -> cursor.string(key, MAX_TEXT_BYTES);
            case ARRAY -> throw new IllegalStateException("no array is in an array: " + key);
            case UINT64 -> unsigned(cursor.int64(key));
            case INT64 -> cursor.int64(key);
            case FLOAT64 -> Double.longBitsToDouble(cursor.int64(key));
        };
    }

    private static Object unsigned(long bits) {
        return bits >= 0 ? (Object) bits : new BigInteger(Long.toUnsignedString(bits));
    }
}
