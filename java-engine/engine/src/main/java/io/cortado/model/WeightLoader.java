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
        source.require(TensorNeeds.of(shape));
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
        Buffer norm = norm("model.norm", hidden);
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
        Part[] qkv = qkv(at + "self_attn.");
        Part output = new Part(at + "self_attn.o_proj", hidden);
        Part[] gateUp = gateUp(at + "mlp.");
        Part down = new Part(at + "mlp.down_proj", hidden);
        DecoderShape.NormPlaces norms = shape.norms().places();
        DecoderShape.Biases biases = shape.biases();
        return new DecoderWeights.Layer(
                normIf(at, norms.attentionIn(), hidden),
                matrix(Weights.Use.LINEAR, hidden, qkv),
                biasIf(biases.qkv(), qkv),
                normIf(at, hasQkNorm() ? "self_attn.q_norm" : null, shape.qNormSize()),
                normIf(at, hasQkNorm() ? "self_attn.k_norm" : null, shape.kNormSize()),
                matrix(Weights.Use.LINEAR, shape.qSize(), output),
                biasIf(biases.output(), output),
                normIf(at, norms.attentionOut(), hidden),
                normIf(at, norms.mlpIn(), hidden),
                matrix(Weights.Use.LINEAR, hidden, gateUp),
                biasIf(biases.mlp(), gateUp),
                matrix(Weights.Use.LINEAR, inner, down),
                biasIf(biases.mlp(), down),
                normIf(at, norms.mlpOut(), hidden));
    }

    private Part[] qkv(String at) {
        if (shape.fusion().qkv()) {
            return new Part[] {new Part(at + "qkv_proj", shape.qkvSize())};
        }
        return new Part[] {
            new Part(at + "q_proj", shape.qSize()),
            new Part(at + "k_proj", shape.kvSize()),
            new Part(at + "v_proj", shape.kvSize())
        };
    }

    private Part[] gateUp(String at) {
        long inner = shape.intermediateSize();
        if (shape.fusion().gateUp()) {
            return new Part[] {new Part(at + "gate_up_proj", 2 * inner)};
        }
        return new Part[] {new Part(at + "gate_proj", inner), new Part(at + "up_proj", inner)};
    }

    private boolean hasQkNorm() {
        return shape.norms().qk() != DecoderShape.QkNorm.NONE;
    }

    private @Nullable Buffer normIf(String at, @Nullable String name, long size) {
        return name == null ? null : norm(at + name, size);
    }

    private Buffer norm(String prefix, long size) {
        float offset = source.normsHoldOffset() ? 0 : shape.norms().offset();
        return vector("weight", offset, new Part(prefix, size));
    }

    private @Nullable Buffer biasIf(boolean present, Part... parts) {
        return present ? vector("bias", 0, parts) : null;
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

    /** The parts one after the other, as float32, the offset added. */
    private Buffer vector(String suffix, float offset, Part... parts) {
        long elements = 0;
        for (Part part : parts) {
            elements += part.rows;
        }
        Buffer buffer = staging.create(elements * 4, bytes -> fill(bytes, suffix, offset, parts));
        owner.push(buffer::close);
        source.release();
        return buffer;
    }

    private void fill(MemorySegment bytes, String suffix, float offset, Part... parts) {
        long at = 0;
        for (Part part : parts) {
            Tensor tensor = source.take(part.prefix + "." + suffix, part.rows);
            for (long i = 0; i < part.rows; i++) {
                bytes.setAtIndex(ValueLayout.JAVA_FLOAT, at++, offset + tensor.element(i));
            }
        }
    }
}
