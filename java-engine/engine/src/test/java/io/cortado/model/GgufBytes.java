package io.cortado.model;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** Writes GGUF files for tests, right ones and such as a field at a time is wrong in. */
final class GgufBytes {
    static final int F32 = 0;
    static final int F16 = 1;
    static final int Q8_0 = 8;
    static final int BF16 = 30;
    static final int MXFP4 = 39;

    private final ByteArrayOutputStream keys = new ByteArrayOutputStream();
    private final List<Tensor> tensors = new ArrayList<>();
    private int numKeys;

    private record Tensor(String name, int type, long[] ne, byte[] data) {}

    GgufBytes put(String key, String value) {
        key(key, 8);
        string(keys, value);
        return this;
    }

    GgufBytes put(String key, int value) {
        key(key, 4);
        number(keys, value, 4);
        return this;
    }

    GgufBytes put(String key, float value) {
        key(key, 6);
        number(keys, Float.floatToRawIntBits(value), 4);
        return this;
    }

    GgufBytes put(String key, boolean... values) {
        key(key, 9);
        number(keys, 7, 4);
        number(keys, values.length, 8);
        for (boolean value : values) {
            number(keys, value ? 1 : 0, 1);
        }
        return this;
    }

    GgufBytes put(String key, String... values) {
        key(key, 9);
        number(keys, 8, 4);
        number(keys, values.length, 8);
        for (String value : values) {
            string(keys, value);
        }
        return this;
    }

    GgufBytes put(String key, int... values) {
        key(key, 9);
        number(keys, 5, 4);
        number(keys, values.length, 8);
        for (int value : values) {
            number(keys, value, 4);
        }
        return this;
    }

    /** A matrix or vector whose bytes count up. */
    GgufBytes tensor(String name, int type, long... ne) {
        long elements = 1;
        for (long dimension : ne) {
            elements *= dimension;
        }
        GgufType known = GgufType.find(type);
        long bytes = known == null ? 0 : known.rowBytes(elements);
        byte[] data = new byte[(int) bytes];
        for (int i = 0; i < data.length; i++) {
            data[i] = (byte) i;
        }
        tensors.add(new Tensor(name, type, ne, data));
        return this;
    }

    GgufBytes tensor(String name, int type, byte[] data, long... ne) {
        tensors.add(new Tensor(name, type, ne, data));
        return this;
    }

    byte[] toBytes() {
        var out = new ByteArrayOutputStream();
        out.writeBytes("GGUF".getBytes(StandardCharsets.US_ASCII));
        number(out, 3, 4);
        number(out, tensors.size(), 8);
        number(out, numKeys, 8);
        out.writeBytes(keys.toByteArray());
        long offset = 0;
        for (Tensor tensor : tensors) {
            string(out, tensor.name);
            number(out, tensor.ne.length, 4);
            for (long dimension : tensor.ne) {
                number(out, dimension, 8);
            }
            number(out, tensor.type, 4);
            number(out, offset, 8);
            offset = Math.ceilDiv(offset + tensor.data.length, 32L) * 32;
        }
        for (Tensor tensor : tensors) {
            pad(out);
            out.writeBytes(tensor.data);
        }
        pad(out);
        return out.toByteArray();
    }

    private static void pad(ByteArrayOutputStream out) {
        while (out.size() % 32 != 0) {
            out.write(0);
        }
    }

    private void key(String key, int type) {
        numKeys++;
        string(keys, key);
        number(keys, type, 4);
    }

    private static void string(ByteArrayOutputStream out, String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        number(out, bytes.length, 8);
        out.writeBytes(bytes);
    }

    private static void number(ByteArrayOutputStream out, long value, int bytes) {
        byte[] all = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(value).array();
        out.write(all, 0, bytes);
    }

    /** A whole model of one layer and heads of 16, but for the architecture's own keys. */
    static GgufBytes model(String architecture) {
        return new GgufBytes()
                .put("general.architecture", architecture)
                .put(architecture + ".block_count", 1)
                .put(architecture + ".context_length", 64)
                .put(architecture + ".embedding_length", 32)
                .put(architecture + ".feed_forward_length", 32)
                .put(architecture + ".attention.head_count", 2)
                .put(architecture + ".attention.head_count_kv", 1)
                .put(architecture + ".attention.layer_norm_rms_epsilon", 1e-5f)
                .put("tokenizer.ggml.model", "gpt2")
                .put("tokenizer.ggml.tokens", "a", "b", "<|im_end|>", "c")
                .put("tokenizer.ggml.token_type", 1, 1, 3, 1)
                .put("tokenizer.ggml.eos_token_id", 3)
                .tensor("token_embd.weight", Q8_0, 32, 4)
                .tensor("output_norm.weight", F32, 32)
                .tensor("blk.0.attn_norm.weight", F32, 32)
                .tensor("blk.0.attn_q.weight", F16, 32, 32)
                .tensor("blk.0.attn_k.weight", Q8_0, 32, 16)
                .tensor("blk.0.attn_v.weight", Q8_0, 32, 16)
                .tensor("blk.0.attn_output.weight", Q8_0, 32, 32)
                .tensor("blk.0.ffn_norm.weight", F32, 32)
                .tensor("blk.0.ffn_gate.weight", Q8_0, 32, 32)
                .tensor("blk.0.ffn_up.weight", Q8_0, 32, 32)
                .tensor("blk.0.ffn_down.weight", Q8_0, 32, 32);
    }
}
