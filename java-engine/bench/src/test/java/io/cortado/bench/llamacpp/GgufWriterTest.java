package io.cortado.bench.llamacpp;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.cortado.api.Engine;
import io.cortado.api.EngineOptions;
import io.cortado.api.GenerationEvent;
import io.cortado.api.GenerationStream;
import io.cortado.bench.RandomPrompts;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class GgufWriterTest {
    private static final Qwen3Shape TINY =
            new Qwen3Shape(40, 16, 24, 2, 2, 1, 16, 64, 1e-6f, 1e6f, null);

    private static String string(ByteBuffer in) {
        byte[] bytes = new byte[Math.toIntExact(in.getLong())];
        in.get(bytes);
        return new String(bytes, StandardCharsets.UTF_8);
    }

    @Test
    void aHeadReadsBackAsItWasWritten() throws IOException {
        GgufWriter gguf =
                new GgufWriter()
                        .put("name", "qwen3")
                        .put("count", 7)
                        .put("eps", 1e-6f)
                        .put("tokens", List.of("a", "é"))
                        .put("types", new int[] {1, 3})
                        .tensor("w", new long[] {3, 5}, GgufWriter.TYPE_BF16)
                        .tensor("n", new long[] {5}, GgufWriter.TYPE_F32);
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        gguf.writeHead(bytes);
        assertEquals(0, bytes.size() % GgufWriter.ALIGNMENT);
        ByteBuffer in = ByteBuffer.wrap(bytes.toByteArray()).order(ByteOrder.LITTLE_ENDIAN);
        assertEquals(0x46554747, in.getInt());
        assertEquals(3, in.getInt());
        assertEquals(2, in.getLong());
        assertEquals(5, in.getLong());
        assertEquals("name", string(in));
        assertEquals(8, in.getInt());
        assertEquals("qwen3", string(in));
        assertEquals("count", string(in));
        assertEquals(4, in.getInt());
        assertEquals(7, in.getInt());
        assertEquals("eps", string(in));
        assertEquals(6, in.getInt());
        assertEquals(1e-6f, in.getFloat());
        assertEquals("tokens", string(in));
        assertEquals(9, in.getInt());
        assertEquals(8, in.getInt());
        assertEquals(2, in.getLong());
        assertEquals("a", string(in));
        assertEquals("é", string(in));
        assertEquals("types", string(in));
        assertEquals(9, in.getInt());
        assertEquals(5, in.getInt());
        assertEquals(2, in.getLong());
        assertEquals(1, in.getInt());
        assertEquals(3, in.getInt());
        assertEquals("w", string(in));
        assertEquals(2, in.getInt());
        assertArrayEquals(new long[] {5, 3}, new long[] {in.getLong(), in.getLong()});
        assertEquals(GgufWriter.TYPE_BF16, in.getInt());
        assertEquals(0, in.getLong());
        assertEquals("n", string(in));
        assertEquals(1, in.getInt());
        assertEquals(5, in.getLong());
        assertEquals(GgufWriter.TYPE_F32, in.getInt());
        assertEquals(32, in.getLong());
        assertEquals(64, gguf.dataBytes());
    }

    @Test
    void aTensorIsDeclaredOnceAndOfAKnownType() {
        GgufWriter gguf = new GgufWriter().tensor("w", new long[] {1}, GgufWriter.TYPE_F32);
        assertThrows(
                IllegalArgumentException.class,
                () -> gguf.tensor("w", new long[] {1}, GgufWriter.TYPE_F32));
        assertThrows(IllegalArgumentException.class, () -> gguf.tensor("x", new long[] {1}, 99));
    }

    @Test
    void bothFilesHoldTheSameNumbers(@TempDir Path folder) throws IOException {
        new RandomCheckpoint(TINY, 5).writeInto(folder, "{}".getBytes(StandardCharsets.UTF_8));
        ByteBuffer ours = read(folder.resolve("model.safetensors"));
        ByteBuffer theirs = read(folder.resolve(RandomCheckpoint.GGUF));
        byte[] head = new byte[Math.toIntExact(ours.getLong())];
        ours.get(head);
        JsonNode tensors = JsonMapper.shared().readTree(head);
        int ourBase = ours.position();
        int theirAt =
                theirs.capacity()
                        - (int)
                                new RandomCheckpoint(TINY, 5)
                                        .ggufHead(BlockWeights.BF16)
                                        .dataBytes();
        assertEquals(0, theirAt % GgufWriter.ALIGNMENT);
        for (Qwen3Shape.Tensor tensor : TINY.tensors()) {
            int ourAt = ourBase + tensors.path(tensor.name()).path("data_offsets").path(0).asInt();
            for (int i = 0; i < tensor.elements(); i++) {
                float a = Float.intBitsToFloat(ours.getShort(ourAt + 2 * i) << 16);
                float b =
                        tensor.isNorm()
                                ? theirs.getFloat(theirAt + 4 * i)
                                : Float.intBitsToFloat(theirs.getShort(theirAt + 2 * i) << 16);
                assertEquals(a, b, tensor.name() + " i=" + i);
            }
            int bytes = (int) tensor.elements() * (tensor.isNorm() ? 4 : 2);
            theirAt += bytes + GgufWriter.padding(bytes);
        }
        assertEquals(theirs.capacity(), theirAt);
    }

    /** Its routing, stacked experts and keys are what the reader of published files expects. */
    @Test
    void aModelWithExpertsRuns(@TempDir Path folder) throws Exception {
        Qwen3Shape shape =
                new Qwen3Shape(
                        40, 64, 24, 2, 2, 1, 32, 64, 1e-6f, 1e6f, new Qwen3Shape.Experts(5, 2, 32));
        for (BlockWeights format : List.of(BlockWeights.BF16, BlockWeights.Q8_0)) {
            Path file = new RandomCheckpoint(shape, 5).writeBlocks(folder, format);
            try (Engine engine = Engine.open(file, EngineOptions.defaults().threads(1));
                    GenerationStream stream =
                            engine.generate(RandomPrompts.request(new int[] {3, 7, 9}, 4))) {
                GenerationEvent last = null;
                for (GenerationEvent e = stream.next(); e != null; e = stream.next()) {
                    last = e;
                }
                assertInstanceOf(GenerationEvent.Completed.class, last);
                assertEquals(2, engine.expertLoads().size());
                assertEquals(5, engine.expertLoads().getFirst().tokens().size());
                assertEquals(shape.parameters(), engine.model().parameters());
            }
        }
    }

    private static ByteBuffer read(Path file) throws IOException {
        return ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
    }
}
