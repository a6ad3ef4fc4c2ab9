package io.cortado.model;

import io.cortado.device.Buffer;
import io.cortado.device.DType;
import io.cortado.device.Device;
import io.cortado.device.ExpertId;
import io.cortado.device.ExpertWeights;
import io.cortado.device.Placement;
import io.cortado.device.ResourceStack;
import io.cortado.device.Staging;
import io.cortado.device.Weights;
import io.cortado.model.DecoderParts.Part;
import io.cortado.moe.ExpertLayer;
import io.cortado.moe.ExpertMatrices;
import io.cortado.moe.ExpertShape;
import io.cortado.moe.Routing;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** Takes tensors by their published names, checks them, and packs them for the device. */
final class WeightLoader {
    /** A layer without experts. */
    static final int DENSE = -1;

    private final Placement placement;
    private final TensorSource source;
    private final DecoderShape shape;
    private final Staging staging;
    private final DType dense;
    private final ResourceStack owner;

    /**
     * @param dense what quantised weights become where the device does not keep them
     */
    WeightLoader(
            Placement placement,
            Staging staging,
            TensorSource source,
            DecoderShape shape,
            DType dense,
            ResourceStack owner) {
        this.placement = placement;
        this.staging = staging;
        this.source = source;
        this.shape = shape;
        this.dense = dense;
        this.owner = owner;
    }

    DecoderWeights load() {
        source.require(TensorNeeds.of(shape));
        DecoderParts parts = new DecoderParts(shape);
        boolean tied = shape.tiedEmbeddings();
        Weights embedding = matrix(parts.embedding());
        List<DecoderWeights.Layer> layers = new ArrayList<>();
        for (int i = 0; i < shape.numLayers(); i++) {
            boolean hasExperts = shape.layers().get(i).hasExperts();
            layers.add(layer(parts, DecoderParts.layer(i), hasExperts ? i : DENSE));
        }
        Buffer norm = norm("model.norm", shape.hiddenSize());
        Weights head = tied ? embedding : matrix(parts.head());
        if (placement.holdsExperts()) {
            source.requireAllTaken(optional());
        }
        return new DecoderWeights(embedding, List.copyOf(layers), norm, head);
    }

    /** What a file may hold and the decoder does not need. */
    private Set<String> optional() {
        Set<String> names = new HashSet<>();
        if (shape.tiedEmbeddings()) {
            names.add("lm_head.weight");
        }
        for (int i = 0; i < shape.numDraftLayers(); i++) {
            names.add(DecoderParts.layer(shape.numLayers() + i));
        }
        return names;
    }

    /**
     * @param at the layer's prefix
     * @param number of a layer with experts, or {@link #DENSE}
     */
    DecoderWeights.Layer layer(DecoderParts parts, String at, int number) {
        long hidden = shape.hiddenSize();
        DecoderParts.Matrix qkv = parts.qkv(at);
        DecoderParts.Matrix output = parts.output(at);
        DecoderShape.NormPlaces norms = shape.norms().places();
        DecoderShape.Biases biases = shape.biases();
        return new DecoderWeights.Layer(
                normIf(at, norms.attentionIn(), hidden),
                matrix(qkv),
                biasIf(biases.qkv(), qkv),
                shape.latent() == null ? null : latent(parts, at, shape.latent()),
                normIf(at, hasQkNorm() ? "self_attn.q_norm" : null, shape.qNormSize()),
                normIf(at, hasQkNorm() ? "self_attn.k_norm" : null, shape.kNormSize()),
                shape.hasSinks() ? sinks(at) : null,
                matrix(output),
                biasIf(biases.output(), output),
                normIf(at, norms.attentionOut(), hidden),
                normIf(at, norms.mlpIn(), hidden),
                number == DENSE
                        ? dense(parts.gateUp(at), parts.down(at))
                        : experts(parts, at, number),
                normIf(at, norms.mlpOut(), hidden));
    }

    private DecoderWeights.Latent latent(
            DecoderParts parts, String at, DecoderShape.Latent latent) {
        int queryRank = latent.queryRank();
        return new DecoderWeights.Latent(
                queryRank == 0 ? null : norm(at + "self_attn.q_a_layernorm", queryRank),
                queryRank == 0 ? null : matrix(parts.queryUp(at, latent)),
                norm(at + "self_attn.kv_a_layernorm", latent.rank()),
                matrix(parts.keyUp(at, latent)),
                matrix(parts.valueUp(at, latent)));
    }

    private Buffer sinks(String at) {
        Part heads = new Part(at + "self_attn", shape.numQHeads());
        return vector(DecoderParts.SINKS, 0, List.of(heads));
    }

    private DecoderWeights.Dense dense(DecoderParts.Matrix gateUp, DecoderParts.Matrix down) {
        boolean hasBias = shape.biases().mlp();
        return new DecoderWeights.Dense(
                matrix(gateUp), biasIf(hasBias, gateUp), matrix(down), biasIf(hasBias, down));
    }

    private DecoderWeights.Experts experts(DecoderParts parts, String at, int number) {
        DecoderShape.Experts experts = Objects.requireNonNull(shape.experts());
        boolean hasShared = experts.sharedSize() > 0;
        ExpertLayer chosen = chosen(parts, at, number, experts.shape());
        return new DecoderWeights.Experts(
                chosen,
                hasShared ? dense(parts.sharedGateUp(at), parts.sharedDown(at)) : null,
                experts.hasSharedGate() ? matrix(parts.sharedGate(at)) : null);
    }

    private ExpertLayer chosen(DecoderParts parts, String at, int number, ExpertShape experts) {
        Routing routing = experts.routing();
        DecoderParts.Matrix router = parts.router(at);
        List<ExpertId> all =
                IntStream.range(0, routing.numExperts())
                        .mapToObj(i -> new ExpertId(number, i))
                        .toList();
        Weights routerWeights = matrix(router);
        @Nullable Buffer bias = biasIf(routing.hasBias(), router);
        @Nullable Buffer correction =
                routing.hasCorrection() ? vector(DecoderParts.CORRECTION, 0, router.parts()) : null;
        if (!placement.holdsExperts()) {
            return new ExpertLayer(routerWeights, bias, correction, null, null);
        }
        Set<ExpertId> hot = new HashSet<>(all);
        hot.retainAll(placement.hot().ids());
        Set<ExpertId> others = new HashSet<>(all);
        others.removeAll(hot);
        return new ExpertLayer(
                routerWeights,
                bias,
                correction,
                matrices(parts, experts, all, others, placement.ofExperts()),
                hot.isEmpty() ? null : matrices(parts, experts, all, hot, placement.device()));
    }

    /**
     * @param all experts of a layer
     * @param present those of them that the device has
     */
    private ExpertMatrices matrices(
            DecoderParts parts,
            ExpertShape shape,
            List<ExpertId> all,
            Set<ExpertId> present,
            Device device) {
        List<ExpertWeights.@Nullable Expert> matrices = new ArrayList<>();
        for (ExpertId id : all) {
            List<DecoderParts.Matrix> expert = parts.expert(id);
            matrices.add(
                    present.contains(id)
                            ? new ExpertWeights.Expert(
                                    matrix(device, expert.get(0)),
                                    matrix(device, expert.get(1)),
                                    matrix(device, expert.get(2)))
                            : null);
        }
        ExpertWeights weights = device.createExperts(matrices);
        owner.push(weights::close);
        try (Staging to = new Staging(device)) {
            List<@Nullable Buffer> biases = expertBiases(parts, shape, all, to);
            return new ExpertMatrices(
                    weights,
                    biases.get(0),
                    biases.get(1),
                    biases.get(2),
                    present.size() == all.size() ? null : present(to, all, present));
        }
    }

    /** Of all experts of a layer: gate, up, down; null where they have none. */
    List<@Nullable Buffer> expertBiases(
            DecoderParts parts, ExpertShape shape, List<ExpertId> all, Staging to) {
        List<@Nullable Buffer> biases = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            List<Part> ofAll = new ArrayList<>();
            for (ExpertId id : all) {
                ofAll.addAll(parts.expert(id).get(i).parts());
            }
            biases.add(shape.hasBiases() ? vector(to, "bias", 0, ofAll) : null);
        }
        return biases;
    }

    /** An expert's matrices, which are the caller's to close. */
    ExpertWeights.Expert expert(DecoderParts parts, ExpertId id) {
        List<DecoderParts.Matrix> matrices = parts.expert(id);
        List<Weights> made = new ArrayList<>();
        boolean isWhole = false;
        try {
            for (DecoderParts.Matrix matrix : matrices) {
                made.add(pack(placement.device(), matrix));
            }
            isWhole = true;
            return new ExpertWeights.Expert(made.get(0), made.get(1), made.get(2));
        } finally {
            if (!isWhole) {
                made.forEach(Weights::close);
            }
        }
    }

    private Buffer present(Staging to, List<ExpertId> all, Set<ExpertId> present) {
        Buffer buffer =
                to.create(
                        (long) Integer.BYTES * all.size(),
                        bytes -> {
                            for (int i = 0; i < all.size(); i++) {
                                int is = present.contains(all.get(i)) ? 1 : 0;
                                bytes.setAtIndex(ValueLayout.JAVA_INT, i, is);
                            }
                        });
        owner.push(buffer::close);
        return buffer;
    }

    private boolean hasQkNorm() {
        return shape.norms().qk() != DecoderShape.QkNorm.NONE;
    }

    private @Nullable Buffer normIf(String at, @Nullable String name, long size) {
        return name == null ? null : norm(at + name, size);
    }

    Buffer norm(String prefix, long size) {
        float offset = source.normsHoldOffset() ? 0 : shape.norms().offset();
        return vector("weight", offset, List.of(new Part(prefix, size)));
    }

    private @Nullable Buffer biasIf(boolean present, DecoderParts.Matrix matrix) {
        return present ? vector("bias", 0, matrix.parts()) : null;
    }

    /** The parts stacked by rows. */
    Weights matrix(DecoderParts.Matrix matrix) {
        return matrix(placement.device(), matrix);
    }

    private Weights matrix(Device device, DecoderParts.Matrix matrix) {
        Weights weights = pack(device, matrix);
        owner.push(weights::close);
        return weights;
    }

    private Weights pack(Device device, DecoderParts.Matrix matrix) {
        List<Weights.Part> stacked = new ArrayList<>();
        for (Part part : matrix.parts()) {
            stacked.add(source.matrix(part.prefix() + ".weight", part.rows(), matrix.cols()));
        }
        Weights weights = device.createWeights(stacked, matrix.cols(), dense, matrix.use());
        source.release();
        return weights;
    }

    /** The parts one after the other, as float32, the offset added. */
    private Buffer vector(String suffix, float offset, List<Part> parts) {
        return vector(staging, suffix, offset, parts);
    }

    private Buffer vector(Staging staging, String suffix, float offset, List<Part> parts) {
        long elements = 0;
        for (Part part : parts) {
            elements += part.rows();
        }
        Buffer buffer = staging.create(elements * 4, bytes -> fill(bytes, suffix, offset, parts));
        owner.push(buffer::close);
        source.release();
        return buffer;
    }

    private void fill(MemorySegment bytes, String suffix, float offset, List<Part> parts) {
        long at = 0;
        for (Part part : parts) {
            Tensor tensor = source.take(part.prefix() + "." + suffix, part.rows());
            for (long i = 0; i < part.rows(); i++) {
                bytes.setAtIndex(ValueLayout.JAVA_FLOAT, at++, offset + tensor.element(i));
            }
        }
    }
}
