package io.cortado.model;

import io.cortado.device.Buffer;
import io.cortado.device.DType;
import io.cortado.device.Device;
import io.cortado.device.Placement;
import io.cortado.device.ResourceStack;
import io.cortado.device.Staging;
import io.cortado.device.Weights;
import io.cortado.model.DecoderParts.Matrix;
import io.cortado.model.DecoderParts.Part;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Finds the tensors of an EAGLE-3 head under their published names, and packs them. */
final class Eagle3Loader {
    private static final List<String> LAYERS = List.of("midlayer.", "layers.0.");
    private static final String BACKBONE = "model.";
    private static final ValueLayout.OfLong LONG =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT =
            ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final Checkpoint checkpoint;
    private final Eagle3Config config;
    private final DecoderShape shape;
    private final DecoderParts parts;
    private final String layer;

    Eagle3Loader(Checkpoint checkpoint, Eagle3Config config) {
        this.checkpoint = checkpoint;
        this.config = config;
        shape = config.shape();
        parts = new DecoderParts(shape, 2L * shape.hiddenSize());
        layer = layer();
        requireAll();
    }

    /** The form of the first publication, or that of newer tools. */
    private String layer() {
        for (String name : LAYERS) {
            String found = named(name);
            if (checkpoint.has(found + "self_attn.q_proj.weight")) {
                return found;
            }
        }
        return LAYERS.getFirst(); // which names what is missing
    }

    /** The name with {@code model.} before it where the file writes it so. */
    private String named(String name) {
        String probe = name.endsWith(".") ? name + "self_attn.q_proj.weight" : name;
        return checkpoint.has(BACKBONE + probe) ? BACKBONE + name : name;
    }

    /** Prefix of a matrix or norm. */
    private String prefix(String module) {
        String name = named(module + ".weight");
        return name.substring(0, name.length() - ".weight".length());
    }

    private boolean ownsEmbedding() {
        return checkpoint.has(prefix("embed_tokens") + ".weight");
    }

    private boolean ownsHead() {
        return checkpoint.has(prefix("lm_head") + ".weight");
    }

    private boolean hasWholeVocabulary() {
        return shape.vocabSize() == config.vocabSize();
    }

    private boolean hasIdMap() {
        return checkpoint.has(named("d2t"));
    }

    private Matrix features() {
        Part part = new Part(prefix("fc"), shape.hiddenSize());
        return new Matrix(
                DecoderParts.Kind.FEATURES, Weights.Use.LINEAR, config.keptSize(), List.of(part));
    }

    private Matrix embedding() {
        return new Matrix(
                DecoderParts.Kind.EMBEDDING,
                Weights.Use.EMBEDDING,
                shape.hiddenSize(),
                List.of(new Part(prefix("embed_tokens"), config.vocabSize())));
    }

    private Matrix head() {
        return new Matrix(
                DecoderParts.Kind.HEAD,
                Weights.Use.LINEAR,
                shape.hiddenSize(),
                List.of(new Part(prefix("lm_head"), shape.vocabSize())));
    }

    private List<Matrix> matrices() {
        List<Matrix> all =
                new ArrayList<>(
                        List.of(
                                features(),
                                parts.qkv(layer),
                                parts.output(layer),
                                parts.gateUp(layer),
                                parts.down(layer)));
        if (ownsEmbedding()) {
            all.add(embedding());
        }
        if (ownsHead()) {
            all.add(head());
        }
        return all;
    }

    /** One error names all that is missing or has another shape. */
    private void requireAll() {
        Map<String, List<Long>> needs = new LinkedHashMap<>();
        for (Matrix matrix : matrices()) {
            for (Part part : matrix.parts()) {
                needs.put(part.prefix() + ".weight", List.of(part.rows(), matrix.cols()));
            }
        }
        List<Long> vector = List.of((long) shape.hiddenSize());
        needs.put(layer + "hidden_norm.weight", vector);
        needs.put(layer + "input_layernorm.weight", vector);
        needs.put(layer + "post_attention_layernorm.weight", vector);
        needs.put(prefix("norm") + ".weight", vector);
        if (!ownsHead() && !hasWholeVocabulary()) {
            needs.put("lm_head.weight", List.of((long) shape.vocabSize(), vector.getFirst()));
        }
        if (!hasWholeVocabulary()) {
            needs.put(named("d2t"), List.of((long) shape.vocabSize()));
        }
        checkpoint.require(needs);
        if (config.targetHiddenSize() != shape.hiddenSize() && !(ownsEmbedding() && ownsHead())) {
            throw ModelException.unsupported(
                    "a head of hidden_size=%d for a target of %d must have its own embedding and head"
                            .formatted(shape.hiddenSize(), config.targetHiddenSize()));
        }
    }

    WeightPlan plan(Device device, DType dense) {
        // The norms of the layer and the last one are the shape's, the fourth is the head's.
        long vectors = shape.numVectorElements() + shape.hiddenSize();
        return WeightPlan.of(Placement.on(device), checkpoint, matrices(), vectors, dense);
    }

    /** Of the map from draft ids to the target's. */
    long idMapBytes() {
        return hasIdMap() ? shape.vocabSize() * 4L : 0;
    }

    Eagle3Weights load(
            Device device,
            Staging staging,
            DType dense,
            DecoderWeights target,
            ResourceStack owner) {
        WeightLoader loader =
                new WeightLoader(Placement.on(device), staging, checkpoint, shape, dense, owner);
        Weights features = loader.matrix(features());
        Buffer hiddenNorm = loader.norm(layer + "hidden_norm", shape.hiddenSize());
        DecoderWeights.Layer decoderLayer = loader.layer(parts, layer, WeightLoader.DENSE);
        Buffer norm = loader.norm(prefix("norm"), shape.hiddenSize());
        Weights embedding = ownsEmbedding() ? loader.matrix(embedding()) : target.embedding();
        Weights head = ownsHead() ? loader.matrix(head()) : target.head();
        int @Nullable [] targetIds = hasIdMap() ? targetIds() : null;
        Buffer idMap = targetIds == null ? null : idMap(staging, targetIds, owner);
        checkpoint.requireAllTaken(Set.of());
        long bytes =
                features.bytes()
                        + hiddenNorm.bytes()
                        + decoderLayer.bytes()
                        + norm.bytes()
                        + (ownsEmbedding() ? embedding.bytes() : 0)
                        + (ownsHead() ? head.bytes() : 0)
                        + (idMap == null ? 0 : idMap.bytes());
        DecoderWeights decoder = new DecoderWeights(embedding, List.of(decoderLayer), norm, head);
        return new Eagle3Weights(decoder, hiddenNorm, features, idMap, targetIds, bytes);
    }

    private static Buffer idMap(Staging staging, int[] targetIds, ResourceStack owner) {
        Buffer map =
                staging.create(
                        targetIds.length * 4L,
                        bytes ->
                                MemorySegment.copy(
                                        targetIds,
                                        0,
                                        bytes,
                                        ValueLayout.JAVA_INT,
                                        0,
                                        targetIds.length));
        owner.push(map::close);
        return map;
    }

    /** {@code d2t} holds offsets; {@code t2d}, where it is, marks the same ids. */
    private int[] targetIds() {
        Tensor offsets = checkpoint.stored(named("d2t"), shape.vocabSize());
        int[] ids = new int[shape.vocabSize()];
        boolean[] isDrafted = new boolean[config.vocabSize()];
        for (int i = 0; i < ids.length; i++) {
            long id = i + integer(offsets, i);
            if (id < 0 || id >= isDrafted.length || isDrafted[(int) id]) {
                throw ModelException.invalid(
                        "d2t must give different ids below %d: entry %d gives %d"
                                .formatted(isDrafted.length, i, id));
            }
            ids[i] = (int) id;
            isDrafted[ids[i]] = true;
        }
        String mask = named("t2d");
        if (checkpoint.has(mask)) {
            requireAgreement(checkpoint.stored(mask, config.vocabSize()), isDrafted);
        }
        return ids;
    }

    private static void requireAgreement(Tensor mask, boolean[] isDrafted) {
        if (mask.type() != TensorType.BOOL) {
            throw ModelException.unsupported("t2d must be BOOL: " + mask.type());
        }
        for (int id = 0; id < isDrafted.length; id++) {
            if (mask.data().get(ValueLayout.JAVA_BYTE, id) != 0 != isDrafted[id]) {
                throw ModelException.invalid("t2d and d2t disagree about id " + id);
            }
        }
    }

    private static long integer(Tensor tensor, long i) {
        return switch (tensor.type()) {
            case I64 -> tensor.data().get(LONG, i * 8);
            case I32 -> tensor.data().get(INT, i * 4);
            default ->
                    throw ModelException.unsupported(
                            tensor.name() + " must be I64 or I32: " + tensor.type());
        };
    }
}
