package io.cortado.model;

import io.cortado.device.Buffer;
import io.cortado.device.DType;
import io.cortado.device.Device;
import io.cortado.device.ResourceStack;
import io.cortado.device.Staging;
import io.cortado.device.Weights;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Takes tensors by their published names, checks them, and packs them for the device. */
final class WeightLoader {
    private final Device device;
    private final TensorSource source;
    private final DecoderShape shape;
    private final Staging staging;
    private final DType dense;
    private final ResourceStack owner;

    /** A matrix [rows][hidden or other columns] and the tensor prefix it is stored under. */
    private record Part(String prefix, long rows) {}

    /**
     * @param dense what quantised weights become where the device does not keep them
     */
    WeightLoader(
            Device device,
            Staging staging,
            TensorSource source,
            DecoderShape shape,
            DType dense,
            ResourceStack owner) {
        this.device = device;
        this.staging = staging;
        this.source = source;
        this.shape = shape;
        this.dense = dense;
        this.owner = owner;
    }

    DecoderWeights load() {
        long hidden = shape.hiddenSize();
        boolean tied = shape.tiedEmbeddings();
        Weights embedding =
                matrix(
                        tied ? Weights.Use.LINEAR : Weights.Use.EMBEDDING,
                        hidden,
                        new Part("model.embed_tokens", shape.vocabSize()));
        List<DecoderWeights.Layer> layers = new ArrayList<>();
        for (int i = 0; i < shape.numLayers(); i++) {
            layers.add(layer("model.layers." + i + "."));
        }
        Buffer norm = vector("weight", new Part("model.norm", hidden));
        Weights head =
                tied
                        ? embedding
                        : matrix(
                                Weights.Use.LINEAR, hidden, new Part("lm_head", shape.vocabSize()));
        source.requireAllTaken(tied ? Set.of("lm_head.weight") : Set.of());
        return new DecoderWeights(embedding, List.copyOf(layers), norm, head);
    }

    private DecoderWeights.Layer layer(String at) {
        long hidden = shape.hiddenSize();
        long inner = shape.intermediateSize();
        Part[] qkv = {
            new Part(at + "self_attn.q_proj", shape.qSize()),
            new Part(at + "self_attn.k_proj", shape.kvSize()),
            new Part(at + "self_attn.v_proj", shape.kvSize())
        };
        Part output = new Part(at + "self_attn.o_proj", hidden);
        Part[] gateUp = {
            new Part(at + "mlp.gate_proj", inner), new Part(at + "mlp.up_proj", inner)
        };
        Part down = new Part(at + "mlp.down_proj", hidden);
        return new DecoderWeights.Layer(
                vector("weight", new Part(at + "input_layernorm", hidden)),
                matrix(Weights.Use.LINEAR, hidden, qkv),
                biasIf(shape.qkvBias(), qkv),
                headNorm(at + "self_attn.q_norm"),
                headNorm(at + "self_attn.k_norm"),
                matrix(Weights.Use.LINEAR, shape.qSize(), output),
                biasIf(shape.outputBias(), output),
                vector("weight", new Part(at + "post_attention_layernorm", hidden)),
                matrix(Weights.Use.LINEAR, hidden, gateUp),
                biasIf(shape.mlpBias(), gateUp),
                matrix(Weights.Use.LINEAR, inner, down),
                biasIf(shape.mlpBias(), down));
    }

    private @Nullable Buffer headNorm(String prefix) {
        return shape.qkNorm() ? vector("weight", new Part(prefix, shape.headDim())) : null;
    }

    private @Nullable Buffer biasIf(boolean present, Part... parts) {
        return present ? vector("bias", parts) : null;
    }

    /** The parts stacked by rows. */
    private Weights matrix(Weights.Use use, long cols, Part... parts) {
        List<Weights.Part> stacked = new ArrayList<>();
        for (Part part : parts) {
            stacked.add(source.matrix(part.prefix + ".weight", part.rows, cols));
        }
        Weights weights = device.createWeights(stacked, cols, dense, use);
        owner.push(weights::close);
        source.release();
        return weights;
    }

    /** The parts one after the other, as float32. */
    private Buffer vector(String suffix, Part... parts) {
        long elements = 0;
        for (Part part : parts) {
            elements += part.rows;
        }
        Buffer buffer = staging.create(elements * 4, bytes -> fill(bytes, suffix, parts));
        owner.push(buffer::close);
        source.release();
        return buffer;
    }

    private void fill(MemorySegment bytes, String suffix, Part... parts) {
        long at = 0;
        for (Part part : parts) {
            Tensor tensor = source.take(part.prefix + "." + suffix, part.rows);
            for (long i = 0; i < part.rows; i++) {
                bytes.setAtIndex(ValueLayout.JAVA_FLOAT, at++, tensor.element(i));
            }
        }
    }
}
