package io.cortado.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cortado.device.DType;
import io.cortado.device.Device;
import io.cortado.device.WeightFormat;
import io.cortado.device.Weights;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A golden written as convert_hf_to_gguf.py of llama.cpp writes gpt-oss is the model it was. */
class GgufGptOssTest {
    private static final Path GOLDEN =
            Path.of(
                    System.getProperty("cortado.root", "."),
                    "../shared/suites/goldens/gpt-oss-mxfp4");
    private static final int VOCABULARY = 512;
    private static final int HIDDEN = 64;
    private static final int INNER = 64;
    private static final int HEADS = 4;
    private static final int KV_HEADS = 2;
    private static final int HEAD_DIM = 32;
    private static final int EXPERTS = 4;
    private static final int LAYERS = 4;

    @TempDir Path folder;

    private static final class Writer {
        private final TensorSource source;
        final GgufBytes file = new GgufBytes();

        Writer(TensorSource source) {
            this.source = source;
        }

        void keys() {
            file.put("general.architecture", "gpt-oss")
                    .put("gpt-oss.block_count", LAYERS)
                    .put("gpt-oss.context_length", 256)
                    .put("gpt-oss.embedding_length", HIDDEN)
                    .put("gpt-oss.feed_forward_length", INNER)
                    .put("gpt-oss.expert_feed_forward_length", INNER)
                    .put("gpt-oss.expert_count", EXPERTS)
                    .put("gpt-oss.expert_used_count", 2)
                    .put("gpt-oss.attention.head_count", HEADS)
                    .put("gpt-oss.attention.head_count_kv", KV_HEADS)
                    .put("gpt-oss.attention.key_length", HEAD_DIM)
                    .put("gpt-oss.attention.value_length", HEAD_DIM)
                    .put("gpt-oss.attention.layer_norm_rms_epsilon", 1e-5f)
                    .put("gpt-oss.attention.sliding_window", 16)
                    .put("gpt-oss.rope.freq_base", 150000f)
                    .put("gpt-oss.rope.scaling.type", "yarn")
                    .put("gpt-oss.rope.scaling.factor", 4f)
                    .put("gpt-oss.rope.scaling.original_context_length", 64);
        }

        void tensors() {
            matrix("token_embd", "model.embed_tokens", VOCABULARY, HIDDEN);
            vector("output_norm.weight", List.of("model.norm.weight"), HIDDEN);
            matrix("output", "lm_head", VOCABULARY, HIDDEN);
            for (int i = 0; i < LAYERS; i++) {
                layer("blk." + i + ".", "model.layers." + i + ".");
            }
        }

        private void layer(String to, String from) {
            String attention = from + "self_attn.";
            vector(to + "attn_norm.weight", List.of(from + "input_layernorm.weight"), HIDDEN);
            linear(to + "attn_q", attention + "q_proj", HEADS * HEAD_DIM, HIDDEN);
            linear(to + "attn_k", attention + "k_proj", KV_HEADS * HEAD_DIM, HIDDEN);
            linear(to + "attn_v", attention + "v_proj", KV_HEADS * HEAD_DIM, HIDDEN);
            linear(to + "attn_output", attention + "o_proj", HIDDEN, HEADS * HEAD_DIM);
            vector(to + "attn_sinks.weight", List.of(attention + "sinks"), HEADS);
            String norm = from + "post_attention_layernorm.weight";
            vector(to + "post_attention_norm.weight", List.of(norm), HIDDEN);
            linear(to + "ffn_gate_inp", from + "mlp.router", EXPERTS, HIDDEN);
            experts(to + "ffn_gate_exps", from, "gate_proj", INNER, HIDDEN);
            experts(to + "ffn_up_exps", from, "up_proj", INNER, HIDDEN);
            experts(to + "ffn_down_exps", from, "down_proj", HIDDEN, INNER);
        }

        private void linear(String to, String from, int rows, int cols) {
            matrix(to, from, rows, cols);
            vector(to + ".bias", List.of(from + ".bias"), rows);
        }

        private void matrix(String to, String from, int rows, int cols) {
            byte[] data = bytes(source.matrix(from + ".weight", rows, cols));
            file.tensor(to + ".weight", GgufBytes.BF16, data, cols, rows);
        }

        private void experts(String to, String layer, String name, int rows, int cols) {
            var data = new ByteArrayOutputStream();
            List<String> biases = new ArrayList<>();
            for (int e = 0; e < EXPERTS; e++) {
                String expert = layer + "mlp.experts." + e + "." + name;
                Weights.Part part = source.matrix(expert + ".weight", rows, cols);
                assertEquals(WeightFormat.MXFP4, part.format());
                data.writeBytes(bytes(part));
                biases.add(expert + ".bias");
            }
            byte[] all = data.toByteArray();
            file.tensor(to + ".weight", GgufBytes.MXFP4, all, cols, rows, EXPERTS);
            vector(to + ".bias", biases, rows, EXPERTS);
        }

        private void vector(String to, List<String> from, long... ne) {
            ByteBuffer data =
                    ByteBuffer.allocate((int) (4 * ne[0] * from.size()))
                            .order(ByteOrder.LITTLE_ENDIAN);
            for (String name : from) {
                Tensor tensor = source.take(name, ne[0]);
                for (long i = 0; i < ne[0]; i++) {
                    data.putFloat(tensor.element(i));
                }
            }
            file.tensor(to, GgufBytes.F32, data.array(), ne);
        }
    }

    private static byte[] bytes(Weights.Part part) {
        return part.data().toArray(ValueLayout.JAVA_BYTE);
    }

    @Test
    void shapeAndTensorsAreThoseOfTheSafetensors() throws IOException {
        assumeTrue(Files.isDirectory(GOLDEN));
        Path path = folder.resolve("model.gguf");
        ModelConfig config = ModelConfig.read(GOLDEN);
        try (Device device = Device.open("cpu", 1, "auto");
                TensorSource golden = TensorSource.open(device, GOLDEN, config, DType.F32, false)) {
            Writer writer = new Writer(golden);
            writer.keys();
            writer.tensors();
            Files.write(path, writer.file.toBytes());
            assertEquals(config.shape(), ModelConfig.read(path).shape());
            try (GgufTensors tensors = new GgufTensors(path)) {
                tensors.require(TensorNeeds.of(config.shape()));
                TensorNeeds.of(config.shape())
                        .forEach((name, shape) -> {
                            if (shape.size() == 2) {
                                long rows = shape.getFirst();
                                long cols = shape.getLast();
                                Weights.Part expected = golden.matrix(name, rows, cols);
                                Weights.Part read = tensors.matrix(name, rows, cols);
                                assertEquals(expected.format(), read.format(), name);
                                assertEquals(-1, expected.data().mismatch(read.data()), name);
                            } else {
                                long size = shape.getFirst();
                                Tensor expected = golden.take(name, size);
                                Tensor read = tensors.take(name, size);
                                for (long i = 0; i < size; i++) {
                                    assertEquals(expected.element(i), read.element(i), name);
                                }
                            }
                        });
            }
        }
    }

    @Test
    void aFileWithoutExpertsIsRefused() throws IOException {
        GgufBytes file = GgufBytes.model("gpt-oss");
        Path path = Files.write(folder.resolve("model.gguf"), file.toBytes());
        ModelException refused = assertThrows(ModelException.class, () -> GgufModel.open(path));
        assertEquals(ModelException.Kind.UNSUPPORTED, refused.kind());
    }
}
