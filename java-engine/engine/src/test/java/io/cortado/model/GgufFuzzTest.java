package io.cortado.model;

import static org.junit.jupiter.api.Assertions.assertTrue;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.stream.Stream;
import org.junit.jupiter.params.provider.MethodSource;

/** Any bytes as a GGUF file: they are read, every value and tensor, or end in a ModelException. */
class GgufFuzzTest {
    static Stream<byte[]> seeds() {
        return Stream.of(
                GgufBytes.model("llama").toBytes(),
                GgufBytes.model("llama")
                        .put("llama.rope.scaling.type", "yarn")
                        .put("llama.rope.scaling.factor", 4f)
                        .put("general.alignment", 32)
                        .toBytes(),
                GgufBytes.model("qwen2")
                        .put("qwen2.attention.key_length", 16)
                        .tensor("blk.0.attn_q.bias", GgufBytes.F32, 32)
                        .toBytes(),
                GgufBytes.model("gemma3")
                        .put("gemma3.attention.sliding_window", 16)
                        .put("gemma3.attention.sliding_window_pattern", true)
                        .put("tokenizer.chat_template", "{{ messages }}")
                        .toBytes(),
                GgufBytes.model("llama")
                        .tensor("rope_freqs.weight", GgufBytes.F32, 8)
                        .tensor("output.weight", GgufBytes.Q8_0, 32, 4)
                        .toBytes(),
                new GgufBytes().toBytes());
    }

    @MethodSource("seeds")
    @FuzzTest
    void readsOrRefuses(byte[] data) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment bytes = arena.allocate(Math.max(1, data.length));
            MemorySegment.copy(data, 0, bytes, ValueLayout.JAVA_BYTE, 0, data.length);
            GgufFile.Head head = GgufFile.parse(bytes.asSlice(0, data.length));
            long total = 0;
            for (GgufFile.Stored stored : head.tensors().values()) {
                total += stored.data().byteSize();
            }
            assertTrue(total <= data.length, "tensors of more bytes than the file has");
            head.metadata().decoded(_ -> true);
            GgufContent content = GgufContent.read(head.metadata(), head.tensors());
            ConfigJson config = new ConfigJson("fuzz", content.config());
            assertTrue(config.integer("vocab_size", 1, 1 << 24) > 0);
        } catch (ModelException refused) {
            // What bad bytes may end in; every other exception fails the test.
        }
    }
}
