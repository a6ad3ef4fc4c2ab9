package io.cortado.model;

import io.cortado.device.Buffer;
import io.cortado.device.DType;
import io.cortado.device.Device;
import io.cortado.device.Kernels;
import io.cortado.device.NormKind;
import io.cortado.device.ResourceStack;
import io.cortado.device.Stream;

/** The operations of a pass of an EAGLE-3 head, and what they compute in beside a decoder's. */
final class Eagle3Step implements AutoCloseable {
    private static final int MINUS_ONE = 0xff;

    private final ResourceStack owned = new ResourceStack();
    private final Device device;
    private final Eagle3Config config;
    private final DecoderShape shape;
    private final DType dtype;
    private final Eagle3Weights weights;
    private final DecoderState s;
    private final DecoderStep decoder;

    /** [tokens][layer ids][target's hidden]: the target's states, row by row. */
    private final Buffer states;

    /** [tokens][hidden]: the features. */
    private final Buffer features;

    /** [tokens][2 * hidden]: normed embeddings and normed features side by side. */
    private final Buffer both;

    private final Buffer rightHalf;

    /** [tokens][hidden]: what a pass leaves for the next one. */
    private final Buffer left;

    /** int32[rows]: ids of the draft vocabulary. */
    private final Buffer draftIds;

    Eagle3Step(
            Device device,
            Eagle3Config config,
            DType dtype,
            Eagle3Weights weights,
            DecoderState state) {
        this.device = device;
        this.config = config;
        this.dtype = dtype;
        this.weights = weights;
        shape = config.shape();
        s = state;
        decoder = new DecoderStep(shape, dtype, weights.decoder(), state, null);
        long tokens = state.limits.maxNumBatchedTokens();
        long column = (long) shape.hiddenSize() * dtype.bytes();
        boolean built = false;
        try {
            states = create(tokens * config.keptSize() * dtype.bytes());
            features = create(tokens * column);
            both = create(tokens * 2 * column);
            rightHalf = own(both.view(column, both.bytes() - column));
            left = create(tokens * column);
            draftIds = create(state.limits.maxLogitRows() * 4L);
            built = true;
        } finally {
            if (!built) {
                owned.close();
            }
        }
    }

    private Buffer create(long bytes) {
        return own(device.createBuffer(bytes));
    }

    private Buffer own(Buffer buffer) {
        owned.push(buffer::close);
        return buffer;
    }

    /** What this makes, beside the {@link DecoderState}. */
    static long bytes(Eagle3Config config, DType dtype, BatchLimits limits) {
        long perToken = (config.keptSize() + 4L * config.shape().hiddenSize()) * dtype.bytes();
        return limits.maxNumBatchedTokens() * perToken + limits.maxLogitRows() * 4L;
    }

    long bytes() {
        return states.bytes() + features.bytes() + both.bytes() + left.bytes() + draftIds.bytes();
    }

    DecoderState state() {
        return s;
    }

    /** Enqueues: features of rows of the target's states. */
    void featuresOf(Buffer kept, DraftInputs in, int numTokens, Stream stream) {
        int cols = config.keptSize();
        gather(states, kept, cols, in, numTokens, stream);
        s.gemm.enqueue(
                features,
                states,
                weights.features(),
                null,
                numTokens,
                shape.hiddenSize(),
                cols,
                dtype,
                dtype,
                stream);
    }

    /** Enqueues: features that the last pass has left. */
    void ownFeatures(DraftInputs in, int numTokens, Stream stream) {
        gather(features, left, shape.hiddenSize(), in, numTokens, stream);
    }

    private void gather(
            Buffer to, Buffer from, int cols, DraftInputs in, int numTokens, Stream stream) {
        int rows = s.limits.maxNumBatchedTokens();
        Buffer which = in.featureRowsBuffer();
        Kernels.gatherRows(to, from, which, numTokens, cols, rows, cols, cols, dtype, stream);
    }

    /** Enqueues the layer and the wanted logits, of rows whose features are there. */
    void forward(
            BatchInputs in,
            int numTokens,
            int numSeqs,
            int numLogitRows,
            int maxQLen,
            Stream stream) {
        decoder.prepare(in, numTokens, numSeqs, maxQLen, stream);
        input(in, numTokens, stream);
        decoder.attention(0, both, 2 * shape.hiddenSize(), in, numTokens, stream);
        DecoderWeights.Layer layer = weights.decoder().layers().getFirst();
        decoder.addAndNorm(s.normed, layer.mlpInNorm(), 1, numTokens, stream);
        decoder.mlp(layer, in, numTokens, stream);
        if (numLogitRows > 0) {
            decoder.head(in, numTokens, numLogitRows, stream);
        }
        decoder.copyResidual(left, shape.hiddenSize(), 1, numTokens, stream);
    }

    /**
     * both = norm of the embedding, norm of the feature; residual = feature. The embedding is not
     * scaled, also where the target's family does so: heads are trained on the stored one.
     */
    private void input(BatchInputs in, int numTokens, Stream stream) {
        int width = shape.hiddenSize();
        int stride = 2 * width;
        float eps = shape.norms().eps();
        DecoderWeights.Layer layer = weights.decoder().layers().getFirst();
        Kernels.embedding(
                s.hidden,
                weights.decoder().embedding(),
                in.idsBuffer(),
                numTokens,
                width,
                dtype,
                1,
                stream);
        Kernels.norm(
                both,
                null,
                s.hidden,
                layer.attentionInNorm(),
                numTokens,
                width,
                stride,
                0,
                width,
                dtype,
                NormKind.RMS,
                eps,
                1,
                stream);
        Kernels.fill(s.residual, 0, 4L * numTokens * width, 0, stream);
        Kernels.norm(
                rightHalf,
                s.residual,
                features,
                weights.hiddenNorm(),
                numTokens,
                width,
                stride,
                width,
                width,
                dtype,
                NormKind.RMS,
                eps,
                1,
                stream);
    }

    /** Enqueues: the target's ids of the largest logits; -1 where a logit is not a number. */
    void draft(Buffer to, int numRows, Stream stream) {
        int cols = shape.vocabSize();
        Kernels.argmax(draftIds, s.logits, numRows, cols, cols, stream);
        translate(to, draftIds, numRows, stream);
    }

    /** Enqueues: the target's ids of draft ids; -1 stays. */
    void translate(Buffer to, Buffer ids, int numRows, Stream stream) {
        Buffer map = weights.idMap();
        if (map == null) {
            Kernels.copy(to, ids, 0, 0, numRows * 4L, stream);
        } else {
            Kernels.fill(to, 0, numRows * 4L, MINUS_ONE, stream);
            Kernels.feedTokens(to, map, ids, numRows, shape.vocabSize(), stream);
        }
    }

    @Override
    public void close() {
        owned.close();
    }
}
