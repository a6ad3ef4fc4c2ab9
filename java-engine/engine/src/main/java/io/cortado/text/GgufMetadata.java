package io.cortado.text;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Typed access to the keys {@code tokenizer.ggml.*} of a GGUF file; a wrong type is refused. */
record GgufMetadata(Map<String, ?> keys) {
    private static final String PREFIX = "tokenizer.ggml.";

    boolean has(String key) {
        return keys.get(PREFIX + key) != null;
    }

    String string(String key, String fallback) {
        Object value = keys.get(PREFIX + key);
        if (value == null) {
            return fallback;
        }
        if (value instanceof String text) {
            return text;
        }
        throw wrongType(key, "a string", value);
    }

    boolean flag(String key, boolean fallback) {
        Object value = keys.get(PREFIX + key);
        if (value == null) {
            return fallback;
        }
        if (value instanceof Boolean flag) {
            return flag;
        }
        throw wrongType(key, "a boolean", value);
    }

    /**
     * The id under {@code key}, which must be one of {@code tokens} ids; null where it is absent.
     */
    @Nullable Integer id(String key, int tokens) {
        Object value = keys.get(PREFIX + key);
        if (value == null) {
            return null;
        }
        if (!(value instanceof Number number)) {
            throw wrongType(key, "a number", value);
        }
        long id = number.longValue();
        // Converters write -1 (or the largest uint32) where a model has no such token.
        if (id == -1 || id == 0xFFFF_FFFFL) {
            return null;
        }
        if (id < 0 || id >= tokens) {
            throw new TokenizerFormatException(
                    "token id out of range: "
                            + PREFIX
                            + key
                            + "="
                            + id
                            + " vocabularySize="
                            + tokens);
        }
        return (int) id;
    }

    /** The strings under {@code key}; null where it is absent. */
    String @Nullable [] strings(String key, int limit) {
        return switch (keys.get(PREFIX + key)) {
            case null -> null;
            case String[] array -> bounded(array, array.length, key, limit);
            case List<?> list -> {
                bounded(list, list.size(), key, limit);
                var strings = new String[list.size()];
                for (int i = 0; i < strings.length; i++) {
                    if (!(list.get(i) instanceof String text)) {
                        throw wrongType(key, "an array of strings", list.get(i));
                    }
                    strings[i] = text;
                }
                yield strings;
            }
            case Object other -> throw wrongType(key, "an array of strings", other);
        };
    }

    /** The numbers under {@code key}, one for each token; null where it is absent. */
    float @Nullable [] numbers(String key, int tokens) {
        float[] numbers =
                switch (keys.get(PREFIX + key)) {
                    case null -> null;
                    case float[] array -> array;
                    case int[] array -> floats(array);
                    case List<?> list -> floats(list, key);
                    case Object other -> throw wrongType(key, "an array of numbers", other);
                };
        if (numbers != null && numbers.length != tokens) {
            throw new TokenizerFormatException(
                    PREFIX
                            + key
                            + " must have one entry for each token: entries="
                            + numbers.length
                            + " tokens="
                            + tokens);
        }
        return numbers;
    }

    /** The bytes under {@code key}; null where it is absent. */
    byte @Nullable [] bytes(String key) {
        return switch (keys.get(PREFIX + key)) {
            case null -> null;
            case byte[] array -> array;
            case List<?> list -> {
                var bytes = new byte[list.size()];
                for (int i = 0; i < bytes.length; i++) {
                    if (!(list.get(i) instanceof Number number)) {
                        throw wrongType(key, "an array of bytes", list.get(i));
                    }
                    bytes[i] = number.byteValue();
                }
                yield bytes;
            }
            case Object other -> throw wrongType(key, "an array of bytes", other);
        };
    }

    private static float[] floats(int[] array) {
        var floats = new float[array.length];
        for (int i = 0; i < floats.length; i++) {
            floats[i] = array[i];
        }
        return floats;
    }

    private static float[] floats(List<?> list, String key) {
        var floats = new float[list.size()];
        for (int i = 0; i < floats.length; i++) {
            if (!(list.get(i) instanceof Number number)) {
                throw wrongType(key, "an array of numbers", list.get(i));
            }
            floats[i] = number.floatValue();
        }
        return floats;
    }

    private static <T> T bounded(T array, int size, String key, int limit) {
        if (size > limit) {
            throw new TokenizerFormatException(
                    PREFIX + key + " too long: entries=" + size + " limit=" + limit);
        }
        return array;
    }

    private static TokenizerFormatException wrongType(
            String key, String expected, @Nullable Object value) {
        return new TokenizerFormatException(
                PREFIX
                        + key
                        + " must be "
                        + expected
                        + ": type="
                        + (value == null ? "null" : value.getClass().getSimpleName()));
    }
}
