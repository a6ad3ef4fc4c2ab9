package io.cortado.model;

import io.cortado.device.Buffer;
import io.cortado.device.DType;
import io.cortado.device.Device;
import io.cortado.device.Placement;
import io.cortado.device.ResourceStack;
import io.cortado.device.Stream;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A decoder layer on its target that drafts tokens from hidden states of the target. Its keys and
 * values lie in blocks of the target's numbers: what shares, moves or frees a block of the target
 * does so with the head's, and a cached prefix is cached for both.
 *
 * <p>After a step of the target the head takes a row for each of the step's tokens whose next token
 * is known ({@link Features#TARGET}): it writes the head's key there and predicts the token after
 * the next. From the last row of a sequence a chain goes on with the tokens that it drafts ({@link
 * Features#OWN}). Rows of a chain write keys too; rows of the target's states overwrite those
 * later.
 *
 * <p>The key at a place depends on the token after it as well. So the last block of a cached prefix
 * is another one's where the texts part there: whoever reuses blocks for a head leaves the last
 * matching one out, or drafts depend on what was in the cache (what is accepted never does).
 *
 * <p>The thread that drives the target drives it. It is closed before its target.
 */
public abstract sealed class DraftHead implements AutoCloseable permits Eagle3Head, MtpHead {
    /** What a pass takes the features of its rows from. */
    public enum Features {
        /** {@link CausalLm#keptStates} of the target's last step. */
        TARGET,
        /** What this head's last pass has left of its rows. */
        OWN
    }

    final Device device;
    final CausalLm target;
    private final DecoderShape shape;
    private final List<Integer> layerIds;
    private final DecoderWeights weights;
    private final ResourceStack owned;
    private @Nullable DraftStep step;

    /**
     * @param layerIds whose states the target keeps for it
     * @param owned closed with it
     */
    DraftHead(
            Device device,
            CausalLm target,
            DecoderShape shape,
            List<Integer> layerIds,
            DecoderWeights weights,
            ResourceStack owned) {
        this.device = device;
        this.target = target;
        this.shape = shape;
        this.layerIds = layerIds;
        this.weights = weights;
        this.owned = owned;
    }

    /**
     * What {@link #allocate} makes beside the keys and values, with the target's arguments; without
     * inputs and drafts.
     */
    static long workspaceBytes(
            Device device,
            DecoderShape shape,
            int keptSize,
            Activations activations,
            KvType kvType,
            int maxNumSeqs,
            int maxNumBatchedTokens,
            int maxBlocksPerSeq,
            int maxLogitRows,
            boolean isDeterministic) {
        BatchLimits limits =
                BatchLimits.ofSteps(maxNumSeqs, maxNumBatchedTokens, maxBlocksPerSeq, maxLogitRows);
        DType dtype = activations.dtype();
        DType kvDtype = kvType.dtype(activations);
        int positions = ModelConfig.MAX_POSITIONS;
        return WorkspaceBytes.ofState(
                        Placement.on(device),
                        shape,
                        positions,
                        dtype,
                        kvDtype,
                        limits,
                        isDeterministic,
                        1)
                + DraftStep.bytes(keptSize, shape.hiddenSize(), dtype, limits);
    }

    /**
     * Makes the caches and what a pass computes in, within the limits of the target, which has kept
     * the states that the head reads and is allocated.
     *
     * @param maxLogitRows rows of draft logits of a pass
     */
    public void allocate(int maxLogitRows) {
        if (step != null) {
            throw new IllegalStateException("allocate may be called once");
        }
        LayerStates kept = target.layerStates();
        if (!kept.layerIds().equals(layerIds)) {
            throw new IllegalStateException(
                    "the target must keep the states of layers %s: %s"
                            .formatted(layerIds, kept.layerIds()));
        }
        DecoderState state =
                new DecoderState(
                        Placement.on(device),
                        shape,
                        ModelConfig.MAX_POSITIONS,
                        target.dtype(),
                        target.kvDtype(),
                        target.state().limits.withLogitRows(maxLogitRows),
                        target.state().isDeterministic,
                        weights.experts(),
                        null,
                        null);
        owned.push(state::close);
        DraftStep built = createStep(state);
        owned.push(built::close);
        step = built;
    }

    abstract DraftStep createStep(DecoderState state);

    /** Where a pass is described; the caller closes it. */
    public DraftInputs createInputs() {
        return new DraftInputs(device, step().state().limits);
    }

    /** Where drafted tokens go; the caller closes it. */
    public DraftTokens createDrafts(int maxPasses) {
        return new DraftTokens(device, maxPasses, step().state().limits.maxLogitRows());
    }

    /**
     * Enqueues a pass on what was uploaded; nothing has run when this returns. After it, {@link
     * #logits} holds the rows that the batch wants.
     *
     * @param maxQLen no sequence has more rows in this pass
     */
    public void forward(
            DraftInputs inputs,
            Features features,
            int numTokens,
            int numSeqs,
            int numLogitRows,
            int maxQLen,
            Stream stream) {
        BatchLimits limits = step().state().limits;
        limits.check(numTokens, numSeqs, numLogitRows);
        switch (features) {
            case TARGET -> step().featuresOf(target.keptStates(), inputs, numTokens, stream);
            case OWN -> step().ownFeatures(inputs, numTokens, stream);
        }
        step().forward(inputs.batch(), numTokens, numSeqs, numLogitRows, maxQLen, stream);
    }

    /**
     * Enqueues, after {@link #forward}: the likeliest token of each row of logits becomes one of
     * the drafts of that pass, as an id of the target.
     */
    public void draft(DraftTokens drafts, int pass, int numRows, Stream stream) {
        step().draft(drafts.pass(pass), numRows, stream);
    }

    /**
     * Enqueues: ids that a sampler has drawn from {@link #logits} become one of the drafts of that
     * pass, as ids of the target; -1 stays.
     *
     * @param draftIds int32[numRows], of the draft vocabulary
     */
    public void translate(
            DraftTokens drafts, int pass, Buffer draftIds, int numRows, Stream stream) {
        step().translate(drafts.pass(pass), draftIds, numRows, stream);
    }

    /**
     * float32 [maxLogitRows][{@link #draftVocabSize}] of the last pass. A sampler of that
     * vocabulary draws from them, and tells the likeliest ids of each row for a tree.
     */
    public Buffer logits() {
        return step().state().logits;
    }

    public int draftVocabSize() {
        return shape.vocabSize();
    }

    /** The target's id for one of the head's. */
    public abstract int targetId(int draftId);

    /** What its weights occupy beside the target's. */
    public abstract long weightBytes();

    /** Bytes that its keys and values add to a block of 16 tokens. */
    public long kvBytesPerBlock() {
        return shape.kvBytesPerBlock(target.kvDtype());
    }

    /** What {@link #allocate} has made beside the keys and values. */
    long workspaceBytes() {
        return step().state().workspaceBytes() + step().bytes();
    }

    /** The blocks of its keys and values alone, for copies; the caller closes it. */
    public KvTiers createTiers() {
        return new KvTiers(device, caches(), target.state().limits.numBlocks(), 0);
    }

    List<Buffer> caches() {
        DecoderState s = step().state();
        List<Buffer> caches = new ArrayList<>(s.kCaches);
        caches.addAll(s.vCaches);
        return caches;
    }

    private DraftStep step() {
        if (step == null) {
            throw new IllegalStateException("call allocate first");
        }
        return step;
    }

    @Override
    public void close() {
        owned.close();
    }
}
