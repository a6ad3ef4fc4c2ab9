package io.cortado.model;

import io.cortado.device.AttentionParams;
import io.cortado.device.Buffer;
import io.cortado.device.DType;
import io.cortado.device.DenseGemm;
import io.cortado.device.Device;
import io.cortado.device.KvMoveParams;
import io.cortado.device.Placement;
import io.cortado.device.ResourceStack;
import io.cortado.device.RopeParams;
import io.cortado.device.RopeStyle;
import io.cortado.device.Staging;
import io.cortado.gang.Collectives;
import io.cortado.moe.ExpertLayer;
import io.cortado.moe.ExpertLink;
import io.cortado.moe.ExpertStep;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** What a decoder computes in: the KV cache and the activations between operations. */
final class DecoderState implements AutoCloseable {
    static final int BLOCK_SIZE = 16;

    private final ResourceStack owned = new ResourceStack();
    private final Device device;
    private long workspaceBytes;

    final BatchLimits limits;
    final List<Buffer> kCaches = new ArrayList<>();

    /** None with latent attention: values lie in the keys. */
    final List<Buffer> vCaches = new ArrayList<>();

    final boolean isDeterministic;
    final List<AttentionParams> attention = new ArrayList<>();

    /** Of {@link SlotCopies}, in any layer. */
    final KvMoveParams slotCopies;

    /** Of the step's attention, for all layers: they differ in the window alone. Null: none. */
    final @Nullable Buffer plan;

    final DenseGemm gemm;

    /** Per layer. */
    final List<Rotation> rotations = new ArrayList<>();

    /** Rows of the tables of angles before those of long sequences. */
    final int positions;

    /** How a layer rotates; layers that rotate alike share it. cosSin null: not at all. */
    record Rotation(RopeParams params, @Nullable Buffer cosSin) {}

    final TokenBuffers tokens;

    /** Null: heads have keys and values of their own. */
    final @Nullable LatentStep latent;

    /** Null: no layer has experts. */
    final @Nullable ExpertStep experts;

    final Buffer lastResidual;
    final Buffer lastHidden;
    final Buffer lastNormed;

    /**
     * float32 [rows][vocabulary]; of a rank that does not draw what {@link LogitExchange} sends.
     */
    final Buffer logits;

    /** Null: the model is whole. */
    final @Nullable RankStep ranks;

    final OutputProjection output;

    /** float32 [sequences][hidden]: what pooling has summed of prompts that run. */
    final Buffer sums;

    /** What the second micro-batch of a step computes in. Null: steps are of one. */
    final @Nullable DecoderState second;

    /**
     * @param expertLayers all whose experts steps will compute
     * @param link to the ranks that hold the experts; null: they are here
     * @param collectives of the ranks that the shape is shared out to; null: it is whole
     */
    DecoderState(
            Placement placement,
            DecoderShape shape,
            int maxPositions,
            DType dtype,
            DType kvDtype,
            BatchLimits limits,
            boolean isDeterministic,
            List<ExpertLayer> expertLayers,
            @Nullable ExpertLink link,
            @Nullable Collectives collectives) {
        device = placement.device();
        this.limits = limits;
        this.isDeterministic = isDeterministic;
        long rows = limits.maxLogitRows();
        long width = shape.hiddenSize();
        boolean built = false;
        try (Staging staging = new Staging(device)) {
            gemm = DenseGemm.of(device, isDeterministic);
            owned.push(gemm::close);
            positions = positions(maxPositions, limits);
            Map<Rope, Rotation> byRope = new HashMap<>();
            long blockElements = (long) shape.kvSize() * BLOCK_SIZE;
            for (int i = 0; i < shape.numLayers(); i++) {
                kCaches.add(cache(blockElements, kvDtype));
                if (shape.latent() == null) {
                    vCaches.add(cache(blockElements, kvDtype));
                }
                DecoderShape.Layer layer = shape.layers().get(i);
                attention.add(attentionParams(shape, layer, dtype, kvDtype));
                rotations.add(
                        byRope.computeIfAbsent(
                                layer.rope(),
                                rope ->
                                        rotation(
                                                shape,
                                                rope,
                                                dtype,
                                                kvDtype,
                                                angles(staging, rope))));
            }
            plan = plan();
            slotCopies = slotCopies(shape, kvDtype);
            tokens = tokens(shape, dtype);
            latent = latent(shape, dtype, kvDtype);
            experts = experts(placement, shape, dtype, expertLayers, link);
            lastResidual = buffer(rows, width, DType.F32);
            lastHidden = buffer(rows, width, dtype);
            lastNormed = buffer(rows, width, dtype);
            logits = workspace(device.createBuffer(RankStep.logitBytes(device, shape, limits)));
            ranks = ranks(staging, shape, dtype, collectives);
            output = new OutputProjection(gemm, tokens.hidden, shape.hiddenSize(), dtype, ranks);
            sums = buffer(limits.maxNumSeqs(), width, DType.F32);
            second =
                    link == null || link.microBatches() == 1
                            ? null
                            : new DecoderState(this, shape, dtype, kvDtype);
            if (second != null) {
                owned.push(second::close);
                workspaceBytes += second.workspaceBytes;
            }
            built = true;
        } finally {
            if (!built) {
                owned.close();
            }
        }
    }

    /** Of a second micro-batch: activations of its own, all else is the first's. */
    private DecoderState(DecoderState first, DecoderShape shape, DType dtype, DType kvDtype) {
        device = first.device;
        limits = first.limits.secondMicroBatch();
        isDeterministic = first.isDeterministic;
        gemm = first.gemm;
        positions = first.positions;
        kCaches.addAll(first.kCaches);
        vCaches.addAll(first.vCaches);
        lastResidual = first.lastResidual;
        lastHidden = first.lastHidden;
        lastNormed = first.lastNormed;
        logits = first.logits;
        sums = first.sums;
        ranks = null;
        second = null;
        boolean built = false;
        try {
            Map<Rotation, Rotation> own = new IdentityHashMap<>();
            for (int i = 0; i < shape.numLayers(); i++) {
                DecoderShape.Layer layer = shape.layers().get(i);
                attention.add(attentionParams(shape, layer, dtype, kvDtype));
                rotations.add(
                        own.computeIfAbsent(
                                first.rotations.get(i),
                                of -> rotation(shape, layer.rope(), dtype, kvDtype, of.cosSin())));
            }
            plan = plan();
            slotCopies = slotCopies(shape, kvDtype);
            tokens = tokens(shape, dtype);
            latent = latent(shape, dtype, kvDtype);
            experts =
                    Objects.requireNonNull(first.experts)
                            .second(device, limits.maxNumBatchedTokens());
            owned.push(experts::close);
            workspaceBytes += experts.bytes();
            output = new OutputProjection(gemm, tokens.hidden, shape.hiddenSize(), dtype, null);
            built = true;
        } finally {
            if (!built) {
                owned.close();
            }
        }
    }

    private TokenBuffers tokens(DecoderShape shape, DType dtype) {
        var made = new TokenBuffers(device, shape, dtype, limits.maxNumBatchedTokens());
        owned.push(made::close);
        workspaceBytes += made.bytes();
        return made;
    }

    private @Nullable Buffer plan() {
        long bytes = planBytes(device, limits, attention.getFirst());
        return bytes == 0 ? null : workspace(device.createBuffer(bytes));
    }

    private AttentionParams attentionParams(
            DecoderShape shape, DecoderShape.Layer layer, DType dtype, DType kvDtype) {
        return attentionParams(
                device, limits, shape, dtype, kvDtype, layer.window(), isDeterministic);
    }

    private KvMoveParams slotCopies(DecoderShape shape, DType kvDtype) {
        return new KvMoveParams(device)
                .cache(
                        (long) limits.numBlocks() * BLOCK_SIZE,
                        BLOCK_SIZE,
                        (long) shape.kvSize() * BLOCK_SIZE)
                .heads(shape.numKvHeads(), shape.headDim(), 0, kvDtype);
    }

    private @Nullable ExpertStep experts(
            Placement placement,
            DecoderShape shape,
            DType dtype,
            List<ExpertLayer> layers,
            @Nullable ExpertLink link) {
        DecoderShape.Experts of = shape.experts();
        if (of == null) {
            return null;
        }
        int tokens = limits.maxNumBatchedTokens();
        ExpertStep made =
                new ExpertStep(
                        placement,
                        of.shape(),
                        dtype,
                        shape.numExpertLayers(),
                        layers,
                        tokens,
                        link);
        owned.push(made::close);
        workspaceBytes += made.bytes();
        return made;
    }

    private @Nullable LatentStep latent(DecoderShape shape, DType dtype, DType kvDtype) {
        if (shape.latent() == null) {
            return null;
        }
        long rows = RopeTable.rows(shape.layers().getFirst().rope(), positions);
        LatentStep made = new LatentStep(device, shape, dtype, kvDtype, limits, tokens.qkv, rows);
        owned.push(made::close);
        workspaceBytes += made.bytes();
        return made;
    }

    private @Nullable RankStep ranks(
            Staging staging, DecoderShape shape, DType dtype, @Nullable Collectives collectives) {
        if (shape.shard().isWhole()) {
            return null;
        }
        RankStep made =
                new RankStep(
                        device,
                        staging,
                        shape,
                        dtype,
                        limits,
                        Objects.requireNonNull(collectives, "call join first"),
                        tokens.hidden,
                        logits);
        owned.push(made::close);
        workspaceBytes += RankStep.bytes(device, shape, dtype, limits);
        return made;
    }

    private Buffer buffer(long rows, long cols, DType dtype) {
        return workspace(device.createBuffer(bytes(rows, cols, dtype)));
    }

    private Buffer cache(long blockElements, DType dtype) {
        return own(device.createBuffer(bytes(limits.numBlocks(), blockElements, dtype)));
    }

    private static long bytes(long rows, long cols, DType dtype) {
        return Math.multiplyExact(Math.multiplyExact(rows, cols), (long) dtype.bytes());
    }

    /** Counted: {@link WorkspaceBytes} tells its size beforehand. */
    private Buffer workspace(Buffer buffer) {
        workspaceBytes += buffer.bytes();
        return own(buffer);
    }

    /** All but the caches. */
    long workspaceBytes() {
        return workspaceBytes;
    }

    /** Rows of the tables of angles before those of long sequences. */
    static int positions(int maxPositions, BatchLimits limits) {
        return Math.min(maxPositions, limits.maxBlocksPerSeq() * BLOCK_SIZE);
    }

    private Buffer own(Buffer buffer) {
        owned.push(buffer::close);
        return buffer;
    }

    /** Of a plan for every batch within the limits; 0: there is none. */
    static long planBytes(Device device, BatchLimits limits, AttentionParams params) {
        params.batch(limits.maxNumBatchedTokens(), limits.maxNumSeqs()).maxQLen(0);
        return device.attentionPlanBytes(params);
    }

    static AttentionParams attentionParams(
            Device device,
            BatchLimits limits,
            DecoderShape shape,
            DType dtype,
            DType kvDtype,
            int window,
            boolean isDeterministic) {
        DecoderShape.Latent latent = shape.latent();
        long queryStride = latent == null ? shape.qkvSize() : shape.qSize();
        return new AttentionParams(device)
                .blocks(limits.maxBlocksPerSeq(), limits.numBlocks())
                .strides(queryStride, shape.attendedSize(), (long) shape.kvSize() * BLOCK_SIZE)
                .heads(shape.numQHeads(), shape.numKvHeads(), shape.headDim())
                .window(window)
                .dtypes(dtype, kvDtype)
                .scores(shape.scores().scale(), shape.scores().softCap())
                .valuesInKeys(latent == null ? 0 : latent.rank())
                .balanced(!isDeterministic);
    }

    private @Nullable Buffer angles(Staging staging, Rope rope) {
        long rows = RopeTable.rows(rope, positions);
        return rope.style() == RopeStyle.NONE
                ? null
                : workspace(
                        staging.create(
                                rows * rope.rotaryDim() * 4,
                                bytes -> RopeTable.fill(bytes, rope, positions)));
    }

    private Rotation rotation(
            DecoderShape shape, Rope rope, DType dtype, DType kvDtype, @Nullable Buffer cosSin) {
        long rows = RopeTable.rows(rope, positions);
        RopeParams params =
                new RopeParams(device)
                        .dtypes(dtype, kvDtype)
                        .limits(rows, (long) limits.numBlocks() * BLOCK_SIZE)
                        .strides(
                                shape.qkvSize(),
                                shape.qkvSize(),
                                (long) shape.kvSize() * BLOCK_SIZE)
                        .heads(shape.numQHeads(), shape.numKvHeads(), shape.headDim())
                        .rotation(rope.style(), rope.rotaryDim())
                        .eps(shape.norms().eps());
        return new Rotation(params, cosSin);
    }

    @Override
    public void close() {
        owned.close();
    }
}
