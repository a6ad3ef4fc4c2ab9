package io.cortado.bench.llamacpp;

import io.cortado.bench.BenchException;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import tools.jackson.databind.json.JsonMapper;

/**
 * Random weights, written once into a folder: in bf16 the same ones as {@code model.safetensors}
 * and as {@code model.gguf}, in blocks a GGUF file that both sides read.
 */
final class RandomCheckpoint {
    static final String GGUF = "model.gguf";
    private static final String SAFETENSORS = "model.safetensors";
    private static final int CHUNK = 1 << 19;

    /** What the one merge joins, and makes. */
    private static final List<String> PIECES = List.of("a", "b", "ab");

    private final Qwen3Shape shape;
    private final long seed;

    RandomCheckpoint(Qwen3Shape shape, long seed) {
        this.shape = shape;
        this.seed = seed;
    }

    /** Writes what is not there yet; a file appears whole or not at all. */
    void writeInto(Path folder, byte[] config) throws IOException {
        Files.createDirectories(folder);
        Files.write(folder.resolve("config.json"), config);
        if (Files.exists(folder.resolve(GGUF)) && Files.exists(folder.resolve(SAFETENSORS))) {
            return;
        }
        Path ours = folder.resolve(SAFETENSORS + ".part");
        Path theirs = folder.resolve(GGUF + ".part");
        try (OutputStream safetensors = open(ours);
                OutputStream gguf = open(theirs)) {
            safetensors.write(safetensorsHead());
            ggufHead(BlockWeights.BF16).writeHead(gguf);
            int index = 0;
            for (Qwen3Shape.Tensor tensor : shape.tensors()) {
                write(tensor, new SplittableRandom(seed * 1_000_003 + index++), safetensors, gguf);
            }
        }
        Files.move(ours, folder.resolve(SAFETENSORS));
        Files.move(theirs, folder.resolve(GGUF));
    }

    /** Writes a GGUF file of this format, if it is not there yet; where it is. */
    Path writeBlocks(Path folder, BlockWeights format) throws IOException {
        for (Qwen3Shape.Tensor tensor : shape.tensors()) {
            if (!tensor.isNorm() && tensor.rowElements() % format.blockElements() != 0) {
                throw new BenchException(
                        "rows must be whole blocks of %d for weights=%s: tensor=%s cols=%d"
                                .formatted(
                                        format.blockElements(),
                                        format.label(),
                                        tensor.name(),
                                        tensor.rowElements()));
            }
        }
        Files.createDirectories(folder);
        Path file = folder.resolve("model-" + format.label() + ".gguf");
        if (Files.exists(file)) {
            return file;
        }
        Path part = folder.resolve(file.getFileName() + ".part");
        try (OutputStream gguf = open(part)) {
            ggufHead(format).writeHead(gguf);
            int index = 0;
            for (Qwen3Shape.Tensor tensor : shape.tensors()) {
                SplittableRandom random = new SplittableRandom(seed * 1_000_003 + index++);
                writeBlocks(tensor, format, random, gguf);
            }
        }
        return Files.move(part, file);
    }

    private static void writeBlocks(
            Qwen3Shape.Tensor tensor,
            BlockWeights format,
            SplittableRandom random,
            OutputStream gguf)
            throws IOException {
        long elements = tensor.elements();
        if (tensor.isNorm()) {
            ByteBuffer ones = BlockWeights.buffer(4 * (int) elements);
            for (long i = 0; i < elements; i++) {
                ones.putFloat(1);
            }
            gguf.write(ones.array());
            gguf.write(new byte[GgufWriter.padding(4 * elements)]);
            return;
        }
        ByteBuffer block = BlockWeights.buffer(format.blockBytes());
        long blocks = elements / format.blockElements();
        for (long i = 0; i < blocks; i++) {
            block.clear();
            format.block(random, block);
            gguf.write(block.array());
        }
        gguf.write(new byte[GgufWriter.padding(blocks * format.blockBytes())]);
    }

    private static OutputStream open(Path file) throws IOException {
        return new BufferedOutputStream(Files.newOutputStream(file), 1 << 16);
    }

    private static void write(
            Qwen3Shape.Tensor tensor,
            SplittableRandom random,
            OutputStream safetensors,
            OutputStream gguf)
            throws IOException {
        ByteBuffer half = ByteBuffer.allocate(2 * CHUNK).order(ByteOrder.LITTLE_ENDIAN);
        ByteBuffer full = ByteBuffer.allocate(4 * CHUNK).order(ByteOrder.LITTLE_ENDIAN);
        float centre = tensor.isNorm() ? 1 : 0;
        long elements = tensor.elements();
        for (long done = 0; done < elements; done += CHUNK) {
            int count = (int) Math.min(CHUNK, elements - done);
            half.clear();
            full.clear();
            for (int i = 0; i < count; i++) {
                float unit = (random.nextInt() >> 8) * 0x1p-23f;
                int bits = Float.floatToRawIntBits(centre + unit * BlockWeights.AMPLITUDE) >>> 16;
                half.putShort((short) bits);
                if (tensor.isNorm()) {
                    full.putInt(bits << 16);
                }
            }
            safetensors.write(half.array(), 0, 2 * count);
            if (tensor.isNorm()) {
                gguf.write(full.array(), 0, 4 * count);
            } else {
                gguf.write(half.array(), 0, 2 * count);
            }
        }
        gguf.write(new byte[GgufWriter.padding(elements * (tensor.isNorm() ? 4 : 2))]);
    }

    private byte[] safetensorsHead() {
        Map<String, Object> head = new LinkedHashMap<>();
        head.put("__metadata__", Map.of("format", "pt"));
        long offset = 0;
        for (Qwen3Shape.Tensor tensor : shape.tensors()) {
            long end = offset + 2 * tensor.elements();
            head.put(
                    tensor.name(),
                    Map.of(
                            "dtype",
                            "BF16",
                            "shape",
                            tensor.shape(),
                            "data_offsets",
                            List.of(offset, end)));
            offset = end;
        }
        StringBuilder json = new StringBuilder(JsonMapper.shared().writeValueAsString(head));
        while (json.length() % 8 != 0) {
            json.append(' ');
        }
        byte[] text = json.toString().getBytes(StandardCharsets.US_ASCII);
        return ByteBuffer.allocate(8 + text.length)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(text.length)
                .put(text)
                .array();
    }

    GgufWriter ggufHead(BlockWeights format) {
        GgufWriter gguf = new GgufWriter();
        Qwen3Shape.Experts experts = shape.experts();
        String family = experts == null ? "qwen3" : "qwen3moe";
        gguf.put("general.architecture", family)
                .put("general.name", "cortado-bench")
                .put("general.alignment", GgufWriter.ALIGNMENT)
                .put("general.file_type", format.fileType())
                .put(family + ".context_length", shape.maxPositions())
                .put(family + ".embedding_length", shape.hidden())
                .put(family + ".block_count", shape.layers())
                .put(family + ".feed_forward_length", shape.intermediate())
                .put(family + ".attention.head_count", shape.heads())
                .put(family + ".attention.head_count_kv", shape.kvHeads())
                .put(family + ".attention.key_length", shape.headDim())
                .put(family + ".attention.value_length", shape.headDim())
                .put(family + ".attention.layer_norm_rms_epsilon", shape.eps())
                .put(family + ".rope.freq_base", shape.ropeTheta())
                .put(family + ".vocab_size", shape.vocabulary());
        if (experts != null) {
            gguf.put(family + ".expert_count", experts.count())
                    .put(family + ".expert_used_count", experts.chosen())
                    .put(family + ".expert_feed_forward_length", experts.inner());
        }
        vocabulary(gguf);
        for (Qwen3Shape.Tensor tensor : shape.tensors()) {
            int type = tensor.isNorm() ? GgufWriter.TYPE_F32 : format.ggmlType();
            gguf.tensor(tensor.ggufName(), tensor.shape(), type);
        }
        return gguf;
    }

    /** Token ids only go in and out, but llama.cpp wants a vocabulary to be there. */
    private void vocabulary(GgufWriter gguf) {
        List<String> tokens = new ArrayList<>();
        int[] types = new int[shape.vocabulary()];
        for (int id = 0; id < shape.vocabulary(); id++) {
            tokens.add(id < PIECES.size() ? PIECES.get(id) : "t" + id);
            types[id] = 1;
        }
        gguf.put("tokenizer.ggml.model", "gpt2")
                .put("tokenizer.ggml.pre", "qwen2")
                .put("tokenizer.ggml.tokens", tokens)
                .put("tokenizer.ggml.token_type", types)
                .put("tokenizer.ggml.merges", List.of("a b"))
                .put("tokenizer.ggml.bos_token_id", 0)
                .put("tokenizer.ggml.eos_token_id", 1);
    }
}
