package io.cortado.device;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.HexFormat;
import java.util.Set;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class WeightFormatTest {
    private static final JsonMapper JSON = new JsonMapper();

    @ParameterizedTest
    @EnumSource(WeightFormat.class)
    void agreesWithTheLibraryOnTheBlock(WeightFormat format) {
        try (Arena arena = Arena.ofConfined()) {
            for (int blocks = 0; blocks <= 3; blocks++) {
                long elements = (long) blocks * format.blockElements();
                MemorySegment data = arena.allocate(Math.max(1, format.bytes(elements)));
                MemorySegment values = arena.allocate(4 * elements + 4, 4);
                values.set(ValueLayout.JAVA_INT, 4 * elements, 0x7FC0BEEF);
                format.dequantize(values, data.asSlice(0, format.bytes(elements)));
                assertEquals(0x7FC0BEEF, values.get(ValueLayout.JAVA_INT, 4 * elements));
            }
        }
    }

    @Test
    void refusesBytesThatAreNoWholeBlocks() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment values = arena.allocate(4 * 32, 4);
            assertThrows(
                    NativeException.class,
                    () -> WeightFormat.Q4_0.dequantize(values, arena.allocate(19)));
            assertThrows(
                    IllegalArgumentException.class,
                    () -> WeightFormat.Q4_0.dequantize(values, arena.allocate(36)));
            assertThrows(IllegalArgumentException.class, () -> WeightFormat.Q4_K.bytes(128));
        }
    }

    @Test
    void dequantizesEveryBlockOfTheSuiteToTheBit() throws IOException {
        Path file = suites().resolve("gguf/dequant.jsonl.gz");
        assumeTrue(Files.exists(file), file + " is not here");
        Set<WeightFormat> seen = EnumSet.noneOf(WeightFormat.class);
        int rows = 0;
        try (BufferedReader lines = open(file)) {
            lines.readLine(); // a note
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                JsonNode row = JSON.readTree(line);
                WeightFormat format = WeightFormat.valueOf(row.get("type").asString());
                seen.add(format);
                rows++;
                assertBits(
                        format + " " + row.get("kind").asString(),
                        row.get("f32").asString(),
                        dequantize(format, row.get("hex").asString()));
            }
        }
        assertTrue(rows >= 300 && seen.size() == 26, rows + " rows of " + seen);
    }

    @ParameterizedTest
    @CsvSource({"e4m3fn, F8_E4M3", "e5m2, F8_E5M2", "e8m0, F8_E8M0", "e2m1, F4_E2M1"})
    void dequantizesTheSmallFloats(String table, WeightFormat format) throws IOException {
        Path file = suites().resolve("quant/formats.json");
        assumeTrue(Files.exists(file), file + " is not here");
        JsonNode values = JSON.readTree(file.toFile()).get(table);
        int codes = values.size();
        for (int code = 0; code < codes; code++) {
            String hex = String.format("%02x", codes == 16 ? code | (15 - code) << 4 : code);
            int[] bits = dequantize(format, hex);
            assertValue(table + " " + code, values.get(code).asString(), bits[0]);
            if (codes == 16) {
                assertValue(table + " high " + code, values.get(15 - code).asString(), bits[1]);
            }
        }
    }

    private static void assertValue(String what, String expected, int bits) {
        if (expected.equals("nan")) {
            assertTrue(Float.isNaN(Float.intBitsToFloat(bits)), what);
        } else {
            assertEquals(expected, HexFormat.of().toHexDigits(bits), what);
        }
    }

    private static int[] dequantize(WeightFormat format, String hex) {
        byte[] bytes = HexFormat.of().parseHex(hex);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment data = arena.allocate(bytes.length + 1);
            data.asSlice(1).copyFrom(MemorySegment.ofArray(bytes)); // at an odd address
            long elements = (long) bytes.length / format.blockBytes() * format.blockElements();
            MemorySegment values = arena.allocate(4 * elements, 4);
            format.dequantize(values, data.asSlice(1));
            return values.toArray(ValueLayout.JAVA_INT);
        }
    }

    private static void assertBits(String what, String littleEndianHex, int[] actual) {
        byte[] bytes = HexFormat.of().parseHex(littleEndianHex);
        assertEquals(bytes.length, 4 * actual.length, what);
        MemorySegment expected = MemorySegment.ofArray(bytes);
        for (int i = 0; i < actual.length; i++) {
            int bits = expected.get(ValueLayout.JAVA_INT_UNALIGNED, 4L * i);
            boolean bothNan =
                    Float.isNaN(Float.intBitsToFloat(bits))
                            && Float.isNaN(Float.intBitsToFloat(actual[i]));
            if (bits != actual[i] && !bothNan) {
                assertEquals(
                        Float.intBitsToFloat(bits),
                        Float.intBitsToFloat(actual[i]),
                        what + " element " + i);
            }
        }
    }

    private static BufferedReader open(Path file) throws IOException {
        return new BufferedReader(
                new InputStreamReader(
                        new GZIPInputStream(Files.newInputStream(file)), StandardCharsets.UTF_8));
    }

    private static Path suites() {
        return Path.of(System.getProperty("cortado.root", "."), "../shared/suites");
    }
}
