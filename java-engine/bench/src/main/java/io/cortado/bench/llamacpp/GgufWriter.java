package io.cortado.bench.llamacpp;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * The head of a GGUF file, version 3: metadata and the table of tensors. The caller writes each
 * tensor's bytes after it, in the order they were declared, each followed by {@link #padding}.
 */
final class GgufWriter {
    static final int ALIGNMENT = 32;
    static final int TYPE_F32 = 0;
    static final int TYPE_BF16 = 30;

    private static final int VERSION = 3;
    private static final int VALUE_UINT32 = 4;
    private static final int VALUE_INT32 = 5;
    private static final int VALUE_FLOAT32 = 6;
    private static final int VALUE_STRING = 8;
    private static final int VALUE_ARRAY = 9;

    private final ByteArrayOutputStream metadata = new ByteArrayOutputStream();
    private final ByteArrayOutputStream table = new ByteArrayOutputStream();
    private final List<String> names = new ArrayList<>();
    private long keys;
    private long offset;

    GgufWriter put(String key, String value) {
        key(key, VALUE_STRING);
        string(metadata, value);
        return this;
    }

    GgufWriter put(String key, int value) {
        key(key, VALUE_UINT32);
        int32(metadata, value);
        return this;
    }

    GgufWriter put(String key, float value) {
        key(key, VALUE_FLOAT32);
        int32(metadata, Float.floatToRawIntBits(value));
        return this;
    }

    GgufWriter put(String key, List<String> values) {
        key(key, VALUE_ARRAY);
        int32(metadata, VALUE_STRING);
        int64(metadata, values.size());
        values.forEach(value -> string(metadata, value));
        return this;
    }

    GgufWriter put(String key, int[] values) {
        key(key, VALUE_ARRAY);
        int32(metadata, VALUE_INT32);
        int64(metadata, values.length);
        for (int value : values) {
            int32(metadata, value);
        }
        return this;
    }

    /** Declares a row-major tensor; GGUF lists the fastest dimension first. */
    GgufWriter tensor(String name, long[] shape, int type) {
        if (names.contains(name)) {
            throw new IllegalArgumentException("a tensor may be declared once: name=" + name);
        }
        names.add(name);
        string(table, name);
        int32(table, shape.length);
        long elements = 1;
        for (int i = shape.length - 1; i >= 0; i--) {
            int64(table, shape[i]);
            elements *= shape[i];
        }
        int32(table, type);
        int64(table, offset);
        long bytes = bytes(type, elements);
        offset += bytes + padding(bytes);
        return this;
    }

    /** Bytes of zeros that follow {@code bytes} bytes of a tensor. */
    static int padding(long bytes) {
        return (int) ((ALIGNMENT - bytes % ALIGNMENT) % ALIGNMENT);
    }

    /** Bytes of all tensors, padding included. */
    long dataBytes() {
        return offset;
    }

    /** Writes everything up to the first tensor's first byte. */
    void writeHead(OutputStream out) throws IOException {
        ByteArrayOutputStream head = new ByteArrayOutputStream();
        head.writeBytes("GGUF".getBytes(StandardCharsets.US_ASCII));
        int32(head, VERSION);
        int64(head, names.size());
        int64(head, keys);
        head.writeBytes(metadata.toByteArray());
        head.writeBytes(table.toByteArray());
        head.writeBytes(new byte[padding(head.size())]);
        head.writeTo(out);
    }

    private void key(String key, int type) {
        keys++;
        string(metadata, key);
        int32(metadata, type);
    }

    /** Bytes of so many elements; a row must be a whole number of blocks. */
    private static long bytes(int type, long elements) {
        if (type == TYPE_F32) {
            return 4 * elements;
        }
        for (BlockWeights format : BlockWeights.values()) {
            if (format.ggmlType() == type) {
                return elements / format.blockElements() * format.blockBytes();
            }
        }
        throw new IllegalArgumentException("this writer knows no such tensor type: type=" + type);
    }

    private static void string(ByteArrayOutputStream out, String value) {
        byte[] bytes = value.getBytes(StandardCharsets.UTF_8);
        int64(out, bytes.length);
        out.writeBytes(bytes);
    }

    private static void int32(ByteArrayOutputStream out, int value) {
        out.writeBytes(ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(value).array());
    }

    private static void int64(ByteArrayOutputStream out, long value) {
        out.writeBytes(
                ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(value).array());
    }
}
