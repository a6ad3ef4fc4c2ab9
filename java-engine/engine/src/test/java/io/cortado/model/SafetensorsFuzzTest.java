package io.cortado.model;

import static org.junit.jupiter.api.Assertions.assertTrue;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.stream.Stream;
import org.junit.jupiter.params.provider.MethodSource;

/** Any bytes as a safetensors file: they are read or end in a ModelException. */
class SafetensorsFuzzTest {
    static Stream<byte[]> seeds() {
        return Stream.of(
                file("{}", 0),
                file("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8),
                file(
                        "{\"__metadata__\":{\"format\":\"pt\"},"
                                + "\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[1,3],\"data_offsets\":[0,3]},"
                                + "\"b\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[3,11]}}   ",
                        11),
                file("{\"a\":{\"dtype\":\"BF16\",\"shape\":[0,5],\"data_offsets\":[0,0]}}", 0),
                file(
                        "{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387906],"
                                + "\"data_offsets\":[0,8]}}",
                        8));
    }

    private static byte[] file(String header, int dataBytes) {
        byte[] text = header.getBytes(StandardCharsets.UTF_8);
        return ByteBuffer.allocate(8 + text.length + dataBytes)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(text.length)
                .put(text)
                .array();
    }

    @MethodSource("seeds")
    @FuzzTest
    void readsOrRefuses(byte[] data) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment bytes = arena.allocate(Math.max(1, data.length));
            MemorySegment.copy(data, 0, bytes, ValueLayout.JAVA_BYTE, 0, data.length);
            long total = 0;
            for (Tensor tensor : SafetensorsFile.parse(bytes.asSlice(0, data.length)).values()) {
                total += tensor.data().byteSize();
            }
            assertTrue(total <= data.length, "tensors of more bytes than the file has");
        } catch (ModelException refused) {
            // What bad bytes may end in; every other exception fails the test.
        }
    }
}
