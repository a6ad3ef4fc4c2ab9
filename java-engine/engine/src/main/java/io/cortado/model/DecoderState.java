package io.cortado.model;

import io.cortado.device.AttentionParams;
import io.cortado.device.Buffer;
import io.cortado.device.DType;
import io.cortado.device.DenseGemm;
import io.cortado.device.Device;
import io.cortado.device.ResourceStack;
import io.cortado.device.RopeParams;
import io.cortado.device.RopeStyle;
import io.cortado.device.Staging;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What a decoder computes in: the KV cache and the activations between operations. */
final class DecoderState implements AutoCloseable {
    static final int BLOCK_SIZE = 16;

    private final ResourceStack owned = new ResourceStack();
    private final Device device;

    final BatchLimits limits;
    final List<Buffer> kCaches = new ArrayList<>();
    final List<Buffer> vCaches = new ArrayList<>();
    final List<AttentionParams> attention = new ArrayList<>();

    /** Of the step's attention, for all layers: they differ in the window alone. Null: none. */
    final @Nullable Buffer plan;

    final DenseGemm gemm;
    final RopeParams rope;
    final Buffer cosSin;

    /** float32 [tokens][hidden]: the residual stream. */
    final Buffer residual;

    /** [tokens][hidden]: what a block adds to the residual stream. */
    final Buffer hidden;

    final Buffer normed;
    final Buffer qkv;
    final Buffer attended;

    /** [tokens][2 * intermediate]: gate and up, then their product in the first half. */
    final Buffer gateUp;

    final Buffer lastResidual;
    final Buffer lastHidden;
    final Buffer lastNormed;
    final Buffer logits;

    /** float32 [sequences][hidden]: what pooling has summed of prompts that run. */
    final Buffer sums;

    DecoderState(
            Device device,
            ModelConfig config,
            DType dtype,
            BatchLimits limits,
            boolean isDeterministic) {
        this.device = device;
        this.limits = limits;
        DecoderShape shape = config.shape();
        long tokens = limits.maxNumBatchedTokens();
        long rows = limits.maxLogitRows();
        long width = shape.hiddenSize();
        boolean built = false;
        try (Staging staging = new Staging(device)) {
            gemm = DenseGemm.of(device, isDeterministic);
            owned.push(gemm::close);
            long positions = Math.min(config.maxPositions(), (long) limits.maxBlocksPerSeq() * 16);
            int dim = shape.headDim();
            cosSin =
                    own(
                            staging.create(
                                    positions * dim * 4,
                                    bytes ->
                                            RopeTable.fill(
                                                    bytes, config.rope(), dim, (int) positions)));
            long blockElements = (long) shape.kvSize() * BLOCK_SIZE;
            for (int i = 0; i < shape.numLayers(); i++) {
                kCaches.add(buffer(limits.numBlocks(), blockElements, dtype));
                vCaches.add(buffer(limits.numBlocks(), blockElements, dtype));
                attention.add(
                        attentionParams(shape, dtype, shape.windows().get(i))
                                .balanced(!isDeterministic));
            }
            plan = plan();
            rope = ropeParams(shape, dtype, positions);
            residual = buffer(tokens, width, DType.F32);
            hidden = buffer(tokens, width, dtype);
            normed = buffer(tokens, width, dtype);
            qkv = buffer(tokens, shape.qkvSize(), dtype);
            attended = buffer(tokens, shape.qSize(), dtype);
            gateUp = buffer(tokens, 2L * shape.intermediateSize(), dtype);
            lastResidual = buffer(rows, width, DType.F32);
            lastHidden = buffer(rows, width, dtype);
            lastNormed = buffer(rows, width, dtype);
            logits = buffer(rows, shape.vocabSize(), DType.F32);
            sums = buffer(limits.maxNumSeqs(), width, DType.F32);
            built = true;
        } finally {
            if (!built) {
                owned.close();
            }
        }
    }

    private Buffer buffer(long rows, long cols, DType dtype) {
        long elements = Math.multiplyExact(rows, cols);
        return own(device.createBuffer(Math.multiplyExact(elements, (long) dtype.bytes())));
    }

    private Buffer own(Buffer buffer) {
        owned.push(buffer::close);
        return buffer;
    }

    /** Large enough for every batch within the limits. */
    private @Nullable Buffer plan() {
        AttentionParams most =
                attention
                        .getFirst()
                        .batch(limits.maxNumBatchedTokens(), limits.maxNumSeqs())
                        .maxQLen(0);
        long bytes = device.attentionPlanBytes(most);
        return bytes == 0 ? null : own(device.createBuffer(bytes));
    }

    private AttentionParams attentionParams(DecoderShape shape, DType dtype, int window) {
        return new AttentionParams(device)
                .blocks(limits.maxBlocksPerSeq(), limits.numBlocks())
                .strides(shape.qkvSize(), shape.qSize(), (long) shape.kvSize() * BLOCK_SIZE)
                .heads(shape.numQHeads(), shape.numKvHeads(), shape.headDim())
                .window(window)
                .dtypes(dtype, dtype)
                .scores((float) (1 / Math.sqrt(shape.headDim())), 0);
    }

    private RopeParams ropeParams(DecoderShape shape, DType dtype, long positions) {
        return new RopeParams(device)
                .limits(positions, (long) limits.numBlocks() * BLOCK_SIZE)
                .strides(shape.qkvSize(), shape.qkvSize(), (long) shape.kvSize() * BLOCK_SIZE)
                .heads(shape.numQHeads(), shape.numKvHeads(), shape.headDim())
                .rotation(RopeStyle.HALVES, shape.headDim())
                .dtypes(dtype, dtype)
                .eps(shape.normEps());
    }

    @Override
    public void close() {
        owned.close();
    }
}
