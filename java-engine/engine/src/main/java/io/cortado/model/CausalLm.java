package io.cortado.model;

import static io.cortado.device.DType.F32;

import io.cortado.device.AttentionParams;
import io.cortado.device.Buffer;
import io.cortado.device.DType;
import io.cortado.device.Device;
import io.cortado.device.Kernels;
import io.cortado.device.NormKind;
import io.cortado.device.ResourceStack;
import io.cortado.device.Staging;
import io.cortado.device.Stream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A decoder-only language model: weights, KV cache and the step that turns a ragged batch into
 * logits. One thread drives it. Close it after its last step has run, and before its device.
 */
public final class CausalLm implements AutoCloseable {
    private final Device device;
    private final ModelConfig config;
    private final DecoderShape shape;
    private final DType dtype;
    private final DecoderWeights weights;
    private final ResourceStack owned;
    private @Nullable DecoderState state;

    private CausalLm(
            Device device,
            ModelConfig config,
            DType dtype,
            DecoderWeights weights,
            ResourceStack owned) {
        this.device = device;
        this.config = config;
        this.shape = config.shape();
        this.dtype = dtype;
        this.weights = weights;
        this.owned = owned;
    }

    /**
     * Packs the weights of a folder for a device; the files are closed again before this returns.
     *
     * @param dummyWeights random weights of the configuration's shape instead
     */
    public static CausalLm load(
            Device device,
            Path folder,
            ModelConfig config,
            Activations activations,
            boolean dummyWeights) {
        ResourceStack owned = new ResourceStack();
        boolean loaded = false;
        try (Staging staging = new Staging(device);
                TensorSource source =
                        TensorSource.open(device, folder, config, dummyWeights)) {
            requireMemory(device, config, source);
            DecoderWeights weights =
                    new WeightLoader(
                                    device,
                                    staging,
                                    source,
                                    config.shape(),
                                    activations.dtype(),
                                    owned)
                            .load();
            loaded = true;
            return new CausalLm(device, config, activations.dtype(), weights, owned);
        } finally {
            if (!loaded) {
                owned.close();
            }
        }
    }

    /** Quantised weights may stay as they are stored; of others two bytes are the least. */
    private static void requireMemory(Device device, ModelConfig config, TensorSource source) {
        long needed = Math.min(config.numParameters() * 2, source.bytes());
        long total = device.info().totalMemoryBytes();
        if (needed > total) {
            throw ModelException.unsupported(
                    "the model needs at least %d bytes for its %d weights, the device has %d"
                            .formatted(needed, config.numParameters(), total));
        }
    }

    /**
     * Makes the KV cache and everything else that a step computes in.
     *
     * @param numBlocks blocks of 16 tokens in the cache
     * @param maxNumSeqs sequences of a step
     * @param maxNumBatchedTokens tokens of a step
     * @param maxBlocksPerSeq columns of the block table
     * @param maxLogitRows rows of logits of a step
     * @param isDeterministic a row's bits do not depend on its batch; else attention may share its
     *     work out by the batch at hand
     */
    public void allocate(
            int numBlocks,
            int maxNumSeqs,
            int maxNumBatchedTokens,
            int maxBlocksPerSeq,
            int maxLogitRows,
            boolean isDeterministic) {
        if (state != null) {
            throw new IllegalStateException("allocate may be called once");
        }
        BatchLimits limits =
                new BatchLimits(
                        numBlocks, maxNumSeqs, maxNumBatchedTokens, maxBlocksPerSeq, maxLogitRows);
        DecoderState built = new DecoderState(device, config, dtype, limits, isDeterministic);
        owned.push(built::close);
        state = built;
    }

    /** Where a step is described; the caller closes it. */
    public BatchInputs createInputs() {
        return new BatchInputs(device, state().limits);
    }

    /**
     * The blocks of the cache, for copies, with a second tier of so many in host memory; the caller
     * closes it.
     */
    public KvTiers createTiers(int hostBlocks) {
        DecoderState s = state();
        List<Buffer> blocks = new ArrayList<>(s.kCaches);
        blocks.addAll(s.vCaches);
        return new KvTiers(device, List.copyOf(blocks), s.limits.numBlocks(), hostBlocks);
    }

    /** What pools a step's hidden states; the caller closes it. */
    public Pooler createPooler() {
        return new Pooler(device, state().limits.maxNumSeqs(), shape.hiddenSize());
    }

    /** float32 [maxLogitRows][vocabSize]: row i belongs to logitRows[i] of the last step. */
    public Buffer logits() {
        return state().logits;
    }

    public ModelConfig config() {
        return config;
    }

    /** Bytes of one block of 16 tokens, keys and values of all layers. */
    public long kvBytesPerBlock() {
        return 2L * shape.numLayers() * shape.kvSize() * DecoderState.BLOCK_SIZE * dtype.bytes();
    }

    /** Added to the positions of long sequences, where their angles are others. */
    public int firstLongPosition() {
        return state().positions;
    }

    public long numParameters() {
        return shape.numParameters();
    }

    /**
     * Enqueues a step on what was uploaded; nothing has run when this returns.
     *
     * @param maxQLen no sequence has more tokens in this step
     */
    public void forward(
            BatchInputs inputs,
            int numTokens,
            int numSeqs,
            int numLogitRows,
            int maxQLen,
            Stream stream) {
        DecoderState s = state();
        s.limits.check(numTokens, numSeqs, numLogitRows);
        prepare(s, inputs, numTokens, numSeqs, maxQLen, stream);
        int width = shape.hiddenSize();
        Kernels.embedding(
                s.hidden,
                weights.embedding(),
                inputs.idsBuffer(),
                numTokens,
                width,
                dtype,
                shape.multipliers().embedding(),
                stream);
        Kernels.fill(s.residual, 0, 4L * numTokens * width, 0, stream);
        List<DecoderWeights.Layer> layers = weights.layers();
        float ofResidual = shape.multipliers().residual();
        for (int i = 0; i < layers.size(); i++) {
            DecoderWeights.Layer layer = layers.get(i);
            float ofHidden = i == 0 ? 1 : ofResidual;
            addAndNorm(s, s.normed, layer.attentionInNorm(), ofHidden, numTokens, stream);
            attention(s, i, layer, inputs, numTokens, stream);
            normOutput(s, layer.attentionOutNorm(), numTokens, stream);
            if (shape.isParallel()) {
                addAndNorm(s, s.hidden, null, ofResidual, numTokens, stream);
            } else {
                addAndNorm(s, s.normed, layer.mlpInNorm(), ofResidual, numTokens, stream);
            }
            mlp(s, layer, numTokens, stream);
            normOutput(s, layer.mlpOutNorm(), numTokens, stream);
        }
        if (numLogitRows > 0) {
            head(s, inputs, numTokens, numLogitRows, stream);
        }
    }

    /**
     * Enqueues, after {@link #forward} of the same step, what was written to the pooler: sums of
     * hidden states after the final norm.
     */
    public void pool(Pooler pooler, int numTokens, Stream stream) {
        DecoderState s = state();
        pooler.upload(stream);
        if (pooler.hasSegments()) {
            float ofHidden = shape.multipliers().residual();
            // The logits have their own copies of what this changes.
            addAndNorm(s, s.normed, weights.norm(), ofHidden, numTokens, stream);
            pooler.sum(s.sums, s.normed, numTokens, dtype, stream);
        }
        pooler.download(s.sums, stream);
    }

    /** What all layers share: their parameters, and the plan of their attention. */
    private static void prepare(
            DecoderState s,
            BatchInputs in,
            int numTokens,
            int numSeqs,
            int maxQLen,
            Stream stream) {
        for (DecoderState.Rotation rotation : s.rotations) {
            rotation.params().numTokens(numTokens);
        }
        for (AttentionParams params : s.attention) {
            params.batch(numTokens, numSeqs).maxQLen(maxQLen);
        }
        if (s.plan != null) {
            Kernels.attentionPlan(
                    s.plan,
                    in.cuSeqlensQBuffer(),
                    in.seqlensKvBuffer(),
                    s.attention.getFirst(),
                    stream);
        }
    }

    /** residual += ofHidden * hidden; y = norm of residual, or residual itself. */
    private void addAndNorm(
            DecoderState s,
            Buffer y,
            @Nullable Buffer norm,
            float ofHidden,
            int numTokens,
            Stream stream) {
        NormKind kind = norm == null ? NormKind.NONE : shape.norms().kind();
        norm(y, s.residual, s.hidden, norm, numTokens, kind, ofHidden, stream);
    }

    /** hidden = norm of hidden, where the family has one there. */
    private void normOutput(DecoderState s, @Nullable Buffer norm, int numTokens, Stream stream) {
        if (norm != null) {
            norm(s.hidden, null, s.hidden, norm, numTokens, shape.norms().kind(), 1, stream);
        }
    }

    private void norm(
            Buffer y,
            @Nullable Buffer residual,
            Buffer x,
            @Nullable Buffer weight,
            int rows,
            NormKind kind,
            float xScale,
            Stream stream) {
        int width = shape.hiddenSize();
        float eps = shape.norms().eps();
        Kernels.norm(
                y, residual, x, weight, rows, width, width, width, width, dtype, kind, eps, xScale,
                stream);
    }

    private void attention(
            DecoderState s,
            int i,
            DecoderWeights.Layer layer,
            BatchInputs in,
            int numTokens,
            Stream stream) {
        int width = shape.hiddenSize();
        s.gemm.enqueue(
                s.qkv,
                s.normed,
                layer.qkv(),
                layer.qkvBias(),
                numTokens,
                shape.qkvSize(),
                width,
                dtype,
                dtype,
                stream);
        normAllHeads(s, layer, numTokens, stream);
        boolean isEachHead = shape.norms().qk() == DecoderShape.QkNorm.EACH_HEAD;
        Buffer k = s.kCaches.get(i);
        Buffer v = s.vCaches.get(i);
        DecoderState.Rotation rotation = s.rotations.get(i);
        Kernels.ropeKvWrite(
                s.qkv,
                k,
                v,
                s.qkv,
                in.positionsBuffer(),
                in.slotMappingBuffer(),
                rotation.cosSin(),
                isEachHead ? layer.qNorm() : null,
                isEachHead ? layer.kNorm() : null,
                rotation.params(),
                stream);
        Kernels.pagedAttention(
                s.attended,
                null,
                s.qkv,
                k,
                v,
                in.blockTableBuffer(),
                in.cuSeqlensQBuffer(),
                in.seqlensKvBuffer(),
                null,
                null,
                s.plan,
                s.attention.get(i),
                stream);
        s.gemm.enqueue(
                s.hidden,
                s.attended,
                layer.output(),
                layer.outputBias(),
                numTokens,
                width,
                shape.qSize(),
                dtype,
                dtype,
                stream);
    }

    /** q and k, each over all of its heads together, where the family norms them so. */
    private void normAllHeads(
            DecoderState s, DecoderWeights.Layer layer, int numTokens, Stream stream) {
        if (s.keys != null) {
            normHeads(s.qkv, layer.qNorm(), numTokens, shape.qSize(), stream);
            normHeads(s.keys, layer.kNorm(), numTokens, shape.kvSize(), stream);
        }
    }

    private void normHeads(
            Buffer heads, @Nullable Buffer weight, int numTokens, int cols, Stream stream) {
        int stride = shape.qkvSize();
        float eps = shape.norms().eps();
        Kernels.norm(
                heads,
                null,
                heads,
                weight,
                numTokens,
                cols,
                stride,
                0,
                stride,
                dtype,
                NormKind.RMS,
                eps,
                1,
                stream);
    }

    private void mlp(DecoderState s, DecoderWeights.Layer layer, int numTokens, Stream stream) {
        int width = shape.hiddenSize();
        int inner = shape.intermediateSize();
        int both = 2 * inner;
        s.gemm.enqueue(
                s.gateUp,
                s.normed,
                layer.gateUp(),
                layer.gateUpBias(),
                numTokens,
                both,
                width,
                dtype,
                dtype,
                stream);
        Kernels.activationMul(
                s.gateUp,
                s.gateUp,
                numTokens,
                inner,
                both,
                both,
                dtype,
                shape.activation(),
                stream);
        s.gemm.enqueue(
                s.hidden,
                s.gateUp,
                layer.down(),
                layer.downBias(),
                numTokens,
                width,
                both,
                dtype,
                dtype,
                stream);
    }

    /** Final norm and logits, of the wanted rows only. */
    private void head(DecoderState s, BatchInputs in, int numTokens, int numRows, Stream stream) {
        int width = shape.hiddenSize();
        Buffer rows = in.logitRowsBuffer();
        Kernels.gatherRows(
                s.lastResidual,
                s.residual,
                rows,
                numRows,
                width,
                numTokens,
                width,
                width,
                F32,
                stream);
        Kernels.gatherRows(
                s.lastHidden,
                s.hidden,
                rows,
                numRows,
                width,
                numTokens,
                width,
                width,
                dtype,
                stream);
        float ofHidden = shape.multipliers().residual();
        NormKind kind = shape.norms().kind();
        norm(
                s.lastNormed,
                s.lastResidual,
                s.lastHidden,
                weights.norm(),
                numRows,
                kind,
                ofHidden,
                stream);
        s.gemm.enqueue(
                s.logits,
                s.lastNormed,
                weights.head(),
                null,
                numRows,
                shape.vocabSize(),
                width,
                F32,
                dtype,
                stream);
        DecoderShape.Multipliers multipliers = shape.multipliers();
        if (multipliers.logits() != 1 || multipliers.logitSoftCap() > 0) {
            int vocab = shape.vocabSize();
            float cap = multipliers.logitSoftCap();
            Kernels.softCap(s.logits, numRows, vocab, vocab, multipliers.logits(), cap, stream);
        }
    }

    private DecoderState state() {
        DecoderState allocated = state;
        if (allocated == null) {
            throw new IllegalStateException("call allocate first");
        }
        return allocated;
    }

    @Override
    public void close() {
        owned.close();
    }
}
