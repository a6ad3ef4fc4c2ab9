package io.cortado.bench.conformance;

import io.cortado.device.WeightFormat;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import tools.jackson.databind.JsonNode;

/** Stored blocks and the float32 bits that they stand for. */
final class DequantRows {
    private DequantRows() {}

    /** Rows of {@code dequant.jsonl}: type, stored bytes and the values of their elements. */
    static void blocks(Path file, int limit, Tally tally) throws IOException {
        List<JsonNode> rows = JsonLines.read(file, Integer.MAX_VALUE);
        int judged = 0;
        for (JsonNode row : rows) {
            if (!row.has("hex") || judged == limit) {
                continue; // the note on the first line
            }
            judged++;
            String type = row.path("type").asString("");
            String label = type + " " + row.path("kind").asString("");
            byte[] expected = HexFormat.of().parseHex(row.path("f32").asString(""));
            byte[] stored = HexFormat.of().parseHex(row.path("hex").asString(""));
            compare(label, type, stored, floats(expected), tally);
        }
    }

    /** {@code formats.json}: the value of every code of the small floats. */
    static void codes(Path file, Tally tally) throws IOException {
        JsonNode tables = JsonLines.readTree(file);
        codes(tables.path("e4m3fn"), "F8_E4M3", tally);
        codes(tables.path("e5m2"), "F8_E5M2", tally);
        codes(tables.path("e8m0"), "F8_E8M0", tally);
        codes(tables.path("e2m1"), "F4_E2M1", tally);
    }

    private static void codes(JsonNode table, String format, Tally tally) {
        float[] expected = new float[table.size()];
        boolean isNibble = table.size() == 16;
        byte[] stored = new byte[isNibble ? table.size() / 2 : table.size()];
        for (int i = 0; i < expected.length; i++) {
            String hex = table.path(i).asString("");
            expected[i] =
                    hex.equals("nan")
                            ? Float.NaN
                            : Float.intBitsToFloat(Integer.parseUnsignedInt(hex, 16));
            if (isNibble) {
                stored[i / 2] |= (byte) (i << 4 * (i % 2));
            } else {
                stored[i] = (byte) i;
            }
        }
        compare("all codes of " + format, format, stored, expected, tally);
    }

    private static float[] floats(byte[] bytes) {
        ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        float[] floats = new float[bytes.length / 4];
        buffer.asFloatBuffer().get(floats);
        return floats;
    }

    private static void compare(
            String label, String type, byte[] stored, float[] expected, Tally tally) {
        WeightFormat format;
        try {
            format = WeightFormat.valueOf(type.toUpperCase(Locale.ROOT));
        } catch (IllegalArgumentException _) {
            tally.refused("type " + type + " is not read");
            return;
        }
        float[] actual = new float[expected.length];
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ValueLayout.JAVA_FLOAT, expected.length);
            MemorySegment data = arena.allocate(Math.max(1, stored.length));
            MemorySegment.copy(stored, 0, data, ValueLayout.JAVA_BYTE, 0, stored.length);
            format.dequantize(out, data.asSlice(0, stored.length));
            MemorySegment.copy(out, ValueLayout.JAVA_FLOAT, 0, actual, 0, actual.length);
        }
        String difference = difference(expected, actual);
        if (difference.isEmpty()) {
            tally.right();
        } else {
            tally.wrong(label + ": " + difference);
        }
    }

    /** Empty where all bits are equal; NaN compares as NaN. */
    static String difference(float[] expected, float[] actual) {
        for (int i = 0; i < expected.length; i++) {
            if (Float.floatToIntBits(expected[i]) != Float.floatToIntBits(actual[i])) {
                return "element %d: expected %s (0x%08x) but was %s (0x%08x)"
                        .formatted(
                                i,
                                expected[i],
                                Float.floatToRawIntBits(expected[i]),
                                actual[i],
                                Float.floatToRawIntBits(actual[i]));
            }
        }
        return "";
    }
}
