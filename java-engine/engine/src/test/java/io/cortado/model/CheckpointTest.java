package io.cortado.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CheckpointTest {
    @TempDir Path folder;

    private void shard(String file, String tensor) throws IOException {
        byte[] header =
                "{\"%s\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}"
                        .formatted(tensor)
                        .getBytes(StandardCharsets.UTF_8);
        ByteBuffer bytes =
                ByteBuffer.allocate(8 + header.length + 8).order(ByteOrder.LITTLE_ENDIAN);
        bytes.putLong(header.length).put(header).putFloat(1).putFloat(2);
        Files.write(folder.resolve(file), bytes.array());
    }

    private void index(String weightMap) throws IOException {
        Files.writeString(
                folder.resolve("model.safetensors.index.json"),
                "{\"metadata\":{\"total_size\":16},\"weight_map\":" + weightMap + "}");
    }

    private void assertRefused(String why) {
        var refused = assertThrows(ModelException.class, () -> Checkpoint.open(folder));
        assertTrue(String.valueOf(refused.getMessage()).contains(why), refused.toString());
    }

    @Test
    void readsTheShardsThatTheIndexNames() throws IOException {
        shard("model-1.safetensors", "a");
        shard("model-2.safetensors", "b");
        index("{\"a\":\"model-1.safetensors\",\"b\":\"model-2.safetensors\"}");
        try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            assertEquals(8, checkpoint.take("a", 2).data().byteSize());
            var left =
                    assertThrows(ModelException.class, () -> checkpoint.requireAllTaken(Set.of()));
            assertTrue(String.valueOf(left.getMessage()).contains("[b]"), left.toString());
            checkpoint.requireAllTaken(Set.of("b"));
            var shape = assertThrows(ModelException.class, () -> checkpoint.take("b", 1, 2));
            assertTrue(String.valueOf(shape.getMessage()).contains("[1, 2]"), shape.toString());
            var missing = assertThrows(ModelException.class, () -> checkpoint.take("c", 2));
            assertTrue(String.valueOf(missing.getMessage()).contains(" c "), missing.toString());
        }
    }

    @Test
    void aDecoderAloneIsReadByTheNamesOfOneWithAHead() throws IOException {
        shard("model-1.safetensors", "embed_tokens.weight");
        shard("model-2.safetensors", "lm_head.weight");
        shard("model-3.safetensors", "norm.weight");
        index(
                "{\"embed_tokens.weight\":\"model-1.safetensors\",\"lm_head.weight\":"
                        + "\"model-2.safetensors\",\"norm.weight\":\"model-3.safetensors\"}");
        try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            for (String name :
                    List.of("model.embed_tokens.weight", "model.norm.weight", "lm_head.weight")) {
                assertEquals(8, checkpoint.take(name, 2).data().byteSize(), name);
            }
            checkpoint.requireAllTaken(Set.of());
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "\"../outside.safetensors\"",
                "\"/etc/outside.safetensors\"",
                "\"sub/inside.safetensors\"",
                "\"..\\\\outside.safetensors\"",
                "\"model.bin\"",
                "\".safetensors\"",
                "\"a\\u0000.safetensors\"",
                "17",
                "null",
                "{}"
            })
    void aFileOutsideTheFolderIsRefused(String name) throws IOException {
        index("{\"a\":" + name + "}");
        assertRefused("must lie in a .safetensors file of the same folder");
    }

    @Test
    void aShardThatIsNotThereIsRefused() throws IOException {
        index("{\"a\":\"model-1.safetensors\"}");
        assertRefused("not there");
    }

    @Test
    void aTensorThatItsShardDoesNotHoldIsRefused() throws IOException {
        shard("model-1.safetensors", "a");
        index("{\"a\":\"model-1.safetensors\",\"b\":\"model-1.safetensors\"}");
        assertRefused("does not hold it");
    }

    @Test
    void aTensorInTwoShardsIsRefused() throws IOException {
        shard("model-1.safetensors", "a");
        shard("model-2.safetensors", "a");
        index("{\"a\":\"model-1.safetensors\",\"b\":\"model-2.safetensors\"}");
        assertRefused("holds a");
    }

    @Test
    void anIndexThatIsNoIndexIsRefused() throws IOException {
        index("[]");
        assertRefused("needs a weight_map");
        index("{\"a\":\"x.safetensors\",\"a\":\"y.safetensors\"}");
        assertRefused("not valid JSON");
        index("[".repeat(100_000));
        assertRefused("not valid JSON");
    }

    @Test
    void anEmptyFolderIsRefusedWithWhatItLacks() {
        assertRefused("model.safetensors");
    }

    @Test
    void namesAllMissingTensorsAndWrongShapesAtOnce() throws IOException {
        shard("model.safetensors", "a");
        try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            checkpoint.require(Map.of("a", List.of(2L)));
            var refused =
                    assertThrows(
                            ModelException.class,
                            () ->
                                    checkpoint.require(
                                            Map.of(
                                                    "a", List.of(3L),
                                                    "b", List.of(4L, 5L),
                                                    "c", List.of(6L))));
            for (String part :
                    new String[] {
                        "3 of 3", "a must have shape [3]: [2]", "b of shape [4, 5]", "c of"
                    }) {
                assertTrue(String.valueOf(refused.getMessage()).contains(part), refused.toString());
            }
        }
    }
}
