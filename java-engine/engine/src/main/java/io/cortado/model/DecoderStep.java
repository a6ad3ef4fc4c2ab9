package io.cortado.model;

import static io.cortado.device.DType.F32;

import io.cortado.device.AttentionParams;
import io.cortado.device.Buffer;
import io.cortado.device.DType;
import io.cortado.device.Kernels;
import io.cortado.device.NormKind;
import io.cortado.device.Stream;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** The operations of a step, in the order and kind that the shape says. */
final class DecoderStep {
    private final DecoderShape shape;
    private final DType dtype;
    private final DecoderWeights weights;
    private final DecoderState s;
    private final @Nullable LayerStates kept;
    private final MlpStep mlp;

    /** Null: steps are of one micro-batch. */
    private final @Nullable MicroBatches split;

    DecoderStep(DecoderShape shape, DType dtype, DecoderWeights weights, DecoderState state) {
        this(shape, dtype, weights, state, null, null);
    }

    /**
     * @param kept what keeps the residual stream before some layers; null: nothing is kept
     * @param keptOfSecond the same of the second micro-batch, where the state has one
     */
    DecoderStep(
            DecoderShape shape,
            DType dtype,
            DecoderWeights weights,
            DecoderState state,
            @Nullable LayerStates kept,
            @Nullable LayerStates keptOfSecond) {
        this.shape = shape;
        this.dtype = dtype;
        this.weights = weights;
        s = state;
        this.kept = kept;
        mlp = new MlpStep(shape, dtype, state);
        split = state.second == null ? null : split(state.second, keptOfSecond);
    }

    private MicroBatches split(DecoderState second, @Nullable LayerStates keptOfSecond) {
        return new MicroBatches(
                shape,
                dtype,
                this,
                new DecoderStep(shape, dtype, weights, second, keptOfSecond, null));
    }

    /** Enqueues a step; arguments as {@link CausalLm#forward}. */
    void forward(
            BatchInputs inputs,
            int numTokens,
            int numSeqs,
            int numLogitRows,
            int maxQLen,
            Stream stream) {
        s.limits.check(numTokens, numSeqs, numLogitRows);
        LayerInputs in = inputs.layers();
        prepare(in, numTokens, numSeqs, maxQLen, stream);
        int microBatches = s.experts == null ? 1 : s.experts.nextMicroBatches(numTokens);
        if (s.experts != null) {
            s.experts.begin(microBatches, numTokens, stream);
        }
        int width = shape.hiddenSize();
        Kernels.embedding(
                s.tokens.hidden,
                weights.embedding(),
                inputs.idsBuffer(),
                numTokens,
                width,
                dtype,
                shape.multipliers().embedding(),
                stream);
        Kernels.fill(s.tokens.residual, 0, 4L * numTokens * width, 0, stream);
        if (split != null && microBatches > 1) {
            split.layers(inputs, numTokens, numSeqs, maxQLen, stream);
        } else {
            for (int i = 0; i < shape.numLayers(); i++) {
                layer(i, in, numTokens, stream);
            }
        }
        keepLast(numTokens, stream);
        if (numLogitRows > 0) {
            head(inputs, numTokens, numLogitRows, stream);
        }
    }

    /** Enqueues a layer. */
    void layer(int i, LayerInputs in, int numTokens, Stream stream) {
        beginLayer(i, in, numTokens, stream);
        endLayer(i, numTokens, stream);
    }

    /** Enqueues a layer up to what waits for experts on other ranks. */
    void beginLayer(int i, LayerInputs in, int numTokens, Stream stream) {
        DecoderWeights.Layer layer = weights.layers().get(i);
        float ofResidual = shape.multipliers().residual();
        float ofHidden = i == 0 ? 1 : ofResidual;
        addAndNorm(s.tokens.normed, layer.attentionInNorm(), ofHidden, numTokens, stream);
        keep(i, numTokens, stream);
        attention(i, s.tokens.normed, shape.hiddenSize(), in, numTokens, stream);
        normOutput(layer.attentionOutNorm(), numTokens, stream);
        if (shape.isParallel()) {
            // The sum alone is wanted: hidden holds nothing that is read again.
            addAndNorm(s.tokens.hidden, null, ofResidual, numTokens, stream);
        } else {
            addAndNorm(s.tokens.normed, layer.mlpInNorm(), ofResidual, numTokens, stream);
        }
        mlp.begin(layer.mlp(), in, numTokens, stream);
    }

    /** Enqueues the rest of it. */
    void endLayer(int i, int numTokens, Stream stream) {
        DecoderWeights.Layer layer = weights.layers().get(i);
        mlp.end(layer.mlp(), numTokens, stream);
        normOutput(layer.mlpOutNorm(), numTokens, stream);
    }

    /** float32 [tokens][hidden]. */
    Buffer residual() {
        return s.tokens.residual;
    }

    /** [tokens][hidden]: what is to be added to the residual stream. */
    Buffer hidden() {
        return s.tokens.hidden;
    }

    @Nullable LayerStates kept() {
        return kept;
    }

    /**
     * Enqueues, after {@link #forward}: normed = hidden states of all tokens after the final norm.
     * The logits have their own copies.
     */
    void finalNorm(int numTokens, Stream stream) {
        addAndNorm(
                s.tokens.normed, weights.norm(), shape.multipliers().residual(), numTokens, stream);
    }

    /** The residual stream before a layer, whose sum is complete, where it is asked for. */
    private void keep(int layer, int numTokens, Stream stream) {
        LayerStates states = kept;
        Buffer to = states == null ? null : states.of(layer);
        if (states != null && to != null) {
            // Adds nothing: the residual stream has taken up already what hidden holds.
            copyResidual(to, states.stride(), 0, numTokens, stream);
        }
    }

    /** The same after the last layer: what is pending is added here, and not once more. */
    private void keepLast(int numTokens, Stream stream) {
        LayerStates states = kept;
        Buffer to = states == null ? null : states.of(shape.numLayers());
        if (states != null && to != null) {
            copyResidual(to, states.stride(), shape.multipliers().residual(), numTokens, stream);
            long bytes = (long) numTokens * shape.hiddenSize() * dtype.bytes();
            Kernels.fill(s.tokens.hidden, 0, bytes, 0, stream);
        }
    }

    /** residual += ofHidden * hidden; to = residual, in the activations' type. */
    void copyResidual(Buffer to, long stride, float ofHidden, int numTokens, Stream stream) {
        int width = shape.hiddenSize();
        Kernels.norm(
                to,
                s.tokens.residual,
                s.tokens.hidden,
                null,
                numTokens,
                width,
                stride,
                width,
                width,
                dtype,
                NormKind.NONE,
                0,
                ofHidden,
                stream);
    }

    /** What all layers share: their parameters, and the plan of their attention. */
    void prepare(LayerInputs in, int numTokens, int numSeqs, int maxQLen, Stream stream) {
        for (DecoderState.Rotation rotation : s.rotations) {
            rotation.params().numTokens(numTokens);
        }
        for (AttentionParams params : s.attention) {
            params.batch(numTokens, numSeqs).maxQLen(maxQLen);
        }
        if (s.plan != null) {
            Kernels.attentionPlan(
                    s.plan, in.cuSeqlensQ(), in.seqlensKv(), s.attention.getFirst(), stream);
        }
    }

    /** residual += ofHidden * hidden; y = norm of residual, or residual itself. */
    void addAndNorm(Buffer y, @Nullable Buffer norm, float ofHidden, int numTokens, Stream stream) {
        NormKind kind = norm == null ? NormKind.NONE : shape.norms().kind();
        norm(y, s.tokens.residual, s.tokens.hidden, norm, numTokens, kind, ofHidden, stream);
    }

    /** hidden = norm of hidden, where the family has one there. */
    private void normOutput(@Nullable Buffer norm, int numTokens, Stream stream) {
        if (norm != null) {
            norm(
                    s.tokens.hidden,
                    null,
                    s.tokens.hidden,
                    norm,
                    numTokens,
                    shape.norms().kind(),
                    1,
                    stream);
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

    /**
     * hidden = attention of x.
     *
     * @param x [tokens][cols]
     */
    void attention(int i, Buffer x, int cols, LayerInputs in, int numTokens, Stream stream) {
        DecoderWeights.Layer layer = weights.layers().get(i);
        s.gemm.enqueue(
                s.tokens.qkv,
                x,
                layer.qkv(),
                layer.qkvBias(),
                numTokens,
                shape.qkvSize(),
                cols,
                dtype,
                dtype,
                stream);
        Buffer attended =
                layer.latent() == null
                        ? attendHeads(i, layer, in, numTokens, stream)
                        : attendLatents(i, layer, layer.latent(), in, numTokens, stream);
        s.output.enqueue(
                attended,
                layer.output(),
                layer.outputBias(),
                numTokens,
                shape.outputSize(),
                s.tokens.normed,
                stream);
    }

    /** Heads have keys and values of their own. */
    private Buffer attendHeads(
            int i, DecoderWeights.Layer layer, LayerInputs in, int numTokens, Stream stream) {
        normAllHeads(layer, numTokens, stream);
        boolean isEachHead = shape.norms().qk() == DecoderShape.QkNorm.EACH_HEAD;
        Buffer k = s.kCaches.get(i);
        Buffer v = s.vCaches.get(i);
        DecoderState.Rotation rotation = s.rotations.get(i);
        Kernels.ropeKvWrite(
                s.tokens.qkv,
                k,
                v,
                s.tokens.qkv,
                in.positions(),
                in.slotMapping(),
                rotation.cosSin(),
                isEachHead ? layer.qNorm() : null,
                isEachHead ? layer.kNorm() : null,
                rotation.params(),
                stream);
        attend(i, s.tokens.qkv, v, layer.sinks(), in, stream);
        return s.tokens.attended;
    }

    /** Heads share a latent, which is key and value. */
    private Buffer attendLatents(
            int i,
            DecoderWeights.Layer layer,
            DecoderWeights.Latent weights,
            LayerInputs in,
            int numTokens,
            Stream stream) {
        LatentStep latent = Objects.requireNonNull(s.latent);
        Buffer k = s.kCaches.get(i);
        Buffer cosSin = Objects.requireNonNull(s.rotations.get(i).cosSin());
        Buffer queries = latent.queries(weights, k, cosSin, in, numTokens, s.gemm, stream);
        attend(i, queries, null, layer.sinks(), in, stream);
        return latent.values(weights, s.tokens.attended, numTokens, stream);
    }

    /** attended = attention of queries over the layer's keys and values, shared ones included. */
    private void attend(
            int i,
            Buffer queries,
            @Nullable Buffer v,
            @Nullable Buffer sinks,
            LayerInputs in,
            Stream stream) {
        Buffer k = s.kCaches.get(i);
        in.copies().enqueue(k, v, s.slotCopies, stream);
        Kernels.pagedAttention(
                s.tokens.attended,
                null,
                queries,
                k,
                v,
                in.blockTable(),
                in.cuSeqlensQ(),
                in.seqlensKv(),
                sinks,
                null,
                s.plan,
                s.attention.get(i),
                stream);
    }

    /** q and k, each over all of its heads together, where the family norms them so. */
    private void normAllHeads(DecoderWeights.Layer layer, int numTokens, Stream stream) {
        if (s.tokens.keys != null) {
            normHeads(s.tokens.qkv, layer.qNorm(), numTokens, shape.qSize(), stream);
            normHeads(s.tokens.keys, layer.kNorm(), numTokens, shape.kvSize(), stream);
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

    /** hidden = MLP of normed. */
    void mlp(DecoderWeights.Layer layer, LayerInputs in, int numTokens, Stream stream) {
        mlp.begin(layer.mlp(), in, numTokens, stream);
        mlp.end(layer.mlp(), numTokens, stream);
    }

    /** Final norm and logits, of the wanted rows only. */
    void head(BatchInputs in, int numTokens, int numRows, Stream stream) {
        int width = shape.hiddenSize();
        Buffer rows = in.logitRowsBuffer();
        Kernels.gatherRows(
                s.lastResidual,
                s.tokens.residual,
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
                s.tokens.hidden,
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
        @Nullable RankStep ranks = s.ranks;
        Buffer logits = ranks == null ? s.logits : ranks.logits().ownLogits();
        int stride = shape.headStride();
        s.gemm.enqueue(
                logits,
                s.lastNormed,
                weights.head(),
                null,
                numRows,
                stride,
                width,
                F32,
                dtype,
                stream);
        DecoderShape.Multipliers multipliers = shape.multipliers();
        if (multipliers.logits() != 1 || multipliers.logitSoftCap() > 0) {
            float cap = multipliers.logitSoftCap();
            int cols = shape.headSize();
            Kernels.softCap(logits, numRows, cols, stride, multipliers.logits(), cap, stream);
        }
        if (ranks != null) {
            ranks.logits().enqueue(in.rowCandidates(), numRows, stream);
        }
    }
}
