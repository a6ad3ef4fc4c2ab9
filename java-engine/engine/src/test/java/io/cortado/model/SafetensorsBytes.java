package io.cortado.model;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Writes safetensors files for tests. */
final class SafetensorsBytes {
    private final List<String> entries = new ArrayList<>();
    private final ByteArrayOutputStream data = new ByteArrayOutputStream();

    SafetensorsBytes add(String name, TensorType type, byte[] bytes, long... shape) {
        int begin = data.size();
        data.writeBytes(bytes);
        entries.add(
                "\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%d,%d]}"
                        .formatted(name, type, Arrays.toString(shape), begin, data.size()));
        return this;
    }

    SafetensorsBytes words(String name, int[] words, long... shape) {
        ByteBuffer bytes = ByteBuffer.allocate(4 * words.length).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asIntBuffer().put(words);
        return add(name, TensorType.I32, bytes.array(), shape);
    }

    SafetensorsBytes floats(String name, float[] values, long... shape) {
        ByteBuffer bytes = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asFloatBuffer().put(values);
        return add(name, TensorType.F32, bytes.array(), shape);
    }

    byte[] toBytes() {
        byte[] header = ("{" + String.join(",", entries) + "}").getBytes(StandardCharsets.UTF_8);
        return ByteBuffer.allocate(8 + header.length + data.size())
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(header.length)
                .put(header)
                .put(data.toByteArray())
                .array();
    }
}
