package io.cortado.model;

import io.cortado.device.Buffer;
import io.cortado.device.DType;
import io.cortado.device.Device;
import io.cortado.device.Kernels;
import io.cortado.device.NormKind;
import io.cortado.device.ResourceStack;
import io.cortado.device.Stream;
import org.jspecify.annotations.Nullable;

/** The operations of a pass of a draft head, and what they compute in beside a decoder's. */
abstract sealed class DraftStep implements AutoCloseable permits Eagle3Step, MtpStep {
    private static final int MINUS_ONE = 0xff;

    private final ResourceStack owned = new ResourceStack();
    private final Device device;
    private final @Nullable Buffer idMap;
    private final int keptSize;
    final DecoderShape shape;
    final DType dtype;
    final DecoderState s;
    final DecoderStep decoder;

    /** [tokens][kept]: the target's states, row by row. */
    final Buffer states;

    /** [tokens][hidden]: the features. */
    final Buffer features;

    /** [tokens][2 * hidden]: normed embeddings and normed features side by side. */
    final Buffer both;

    private final Buffer rightHalf;

    /** [tokens][hidden]: what a pass leaves for the next one. */
    final Buffer left;

    /** int32[rows]: ids of the draft vocabulary. */
    private final Buffer draftIds;

    /**
     * @param keptSize columns of what the target keeps of a token
     * @param idMap int32[draft vocabulary]: the target's ids; null: they are the draft's
     */
    DraftStep(
            Device device,
            DecoderShape shape,
            int keptSize,
            DType dtype,
            DecoderWeights weights,
            @Nullable Buffer idMap,
            DecoderState state) {
        this.device = device;
        this.shape = shape;
        this.keptSize = keptSize;
        this.dtype = dtype;
        this.idMap = idMap;
        s = state;
        decoder = new DecoderStep(shape, dtype, weights, state);
        long tokens = state.limits.maxNumBatchedTokens();
        long column = (long) shape.hiddenSize() * dtype.bytes();
        boolean built = false;
        try {
            states = create(tokens * keptSize * dtype.bytes());
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
    static long bytes(int keptSize, int hiddenSize, DType dtype, BatchLimits limits) {
        long perToken = (keptSize + 4L * hiddenSize) * dtype.bytes();
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
        gather(states, kept, keptSize, in, numTokens, stream);
        toFeatures(numTokens, stream);
    }

    /** Enqueues: features = what the head makes of states. */
    abstract void toFeatures(int numTokens, Stream stream);

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
    abstract void forward(
            BatchInputs in,
            int numTokens,
            int numSeqs,
            int numLogitRows,
            int maxQLen,
            Stream stream);

    /**
     * both = norm of the embedding, norm of the feature. The embedding is not scaled, also where
     * the target's family does so: heads are trained on the stored one.
     *
     * @param residual the features are added to it; null: they are not
     */
    void input(
            DecoderWeights weights,
            @Nullable Buffer embeddingNorm,
            Buffer featureNorm,
            @Nullable Buffer residual,
            BatchInputs in,
            int numTokens,
            Stream stream) {
        int width = shape.hiddenSize();
        Kernels.embedding(
                s.tokens.hidden,
                weights.embedding(),
                in.idsBuffer(),
                numTokens,
                width,
                dtype,
                1,
                stream);
        norm(both, 2 * width, null, s.tokens.hidden, embeddingNorm, numTokens, stream);
        norm(rightHalf, 2 * width, residual, features, featureNorm, numTokens, stream);
    }

    /** y = norm of x [rows][hidden], y's rows so many elements apart. */
    void norm(
            Buffer y,
            int yStride,
            @Nullable Buffer residual,
            Buffer x,
            @Nullable Buffer weight,
            int rows,
            Stream stream) {
        int width = shape.hiddenSize();
        float eps = shape.norms().eps();
        Kernels.norm(
                y,
                residual,
                x,
                weight,
                rows,
                width,
                yStride,
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
        if (idMap == null) {
            Kernels.copy(to, ids, 0, 0, numRows * 4L, stream);
        } else {
            Kernels.fill(to, 0, numRows * 4L, MINUS_ONE, stream);
            Kernels.feedTokens(to, idMap, ids, numRows, shape.vocabSize(), stream);
        }
    }

    @Override
    public void close() {
        owned.close();
    }
}
