package io.cortado.model;

import io.cortado.device.Buffer;
import io.cortado.device.DType;
import io.cortado.device.Device;
import io.cortado.device.Placement;
import io.cortado.device.ResourceStack;
import io.cortado.device.Staging;
import io.cortado.device.Stream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * An EAGLE-3 head on its target (Li et al. 2025, arXiv 2503.01840): one decoder layer that drafts
 * tokens from hidden states of the target. Its keys and values lie in blocks of the target's
 * numbers: what shares, moves or frees a block of the target does so with the head's, and a cached
 * prefix is cached for both.
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
public final class Eagle3Head implements AutoCloseable {
    /** What a pass takes the features of its rows from. */
    public enum Features {
        /** {@link CausalLm#keptStates} of the target's last step. */
        TARGET,
        /** What this head's last pass has left of its rows. */
        OWN
    }

    private final Device device;
    private final CausalLm target;
    private final Eagle3Config config;
    private final DecoderShape shape;
    private final Eagle3Weights weights;
    private final ResourceStack owned;
    private @Nullable Eagle3Step step;

    private Eagle3Head(
            Device device,
            CausalLm target,
            Eagle3Config config,
            Eagle3Weights weights,
            ResourceStack owned) {
        this.device = device;
        this.target = target;
        this.config = config;
        shape = config.shape();
        this.weights = weights;
        this.owned = owned;
    }

    /** Packs the weights of a head's folder for its target's device and types. */
    public static Eagle3Head load(
            Device device, Path folder, Eagle3Config config, CausalLm target) {
        ResourceStack owned = new ResourceStack();
        boolean loaded = false;
        try (Staging staging = new Staging(device);
                Checkpoint checkpoint = Checkpoint.open(folder)) {
            LayerStates.requireAligned(config.shape().hiddenSize(), target.dtype());
            Eagle3Weights weights =
                    new Eagle3Loader(checkpoint, config)
                            .load(device, staging, target.dtype(), target.weights(), owned);
            loaded = true;
            return new Eagle3Head(device, target, config, weights, owned);
        } finally {
            if (!loaded) {
                owned.close();
            }
        }
    }

    /** What {@link #load} will occupy, to the byte; before anything is read. */
    public static long weightBytes(
            Device device, Path folder, Eagle3Config config, Activations activations) {
        try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            Eagle3Loader loader = new Eagle3Loader(checkpoint, config);
            return loader.plan(device, activations.dtype()).bytes() + loader.idMapBytes();
        }
    }

    /**
     * What {@link #allocate} makes beside the keys and values, with the target's arguments; without
     * inputs and drafts.
     */
    public static long workspaceBytes(
            Device device,
            Eagle3Config config,
            Activations activations,
            KvType kvType,
            int maxNumSeqs,
            int maxNumBatchedTokens,
            int maxBlocksPerSeq,
            int maxLogitRows,
            boolean isDeterministic) {
        BatchLimits limits =
                new BatchLimits(
                        Math.max(1, maxBlocksPerSeq),
                        maxNumSeqs,
                        maxNumBatchedTokens,
                        maxBlocksPerSeq,
                        maxLogitRows);
        DType dtype = activations.dtype();
        return WorkspaceBytes.ofState(
                        Placement.on(device),
                        config.shape(),
                        ModelConfig.MAX_POSITIONS,
                        dtype,
                        kvType.dtype(activations),
                        limits,
                        isDeterministic)
                + Eagle3Step.bytes(config, dtype, limits);
    }

    /**
     * Makes the caches and what a pass computes in, within the limits of the target, which has kept
     * {@link Eagle3Config#layerIds} and is allocated.
     *
     * @param maxLogitRows rows of draft logits of a pass
     */
    public void allocate(int maxLogitRows) {
        if (step != null) {
            throw new IllegalStateException("allocate may be called once");
        }
        LayerStates kept = target.layerStates();
        if (!kept.layerIds().equals(config.layerIds())) {
            throw new IllegalStateException(
                    "the target must keep the states of layers %s: %s"
                            .formatted(config.layerIds(), kept.layerIds()));
        }
        BatchLimits limits = target.state().limits.withLogitRows(maxLogitRows);
        boolean isDeterministic = target.state().isDeterministic;
        DType dtype = target.dtype();
        DecoderState state =
                new DecoderState(
                        Placement.on(device),
                        shape,
                        ModelConfig.MAX_POSITIONS,
                        dtype,
                        target.kvDtype(),
                        limits,
                        isDeterministic,
                        List.of());
        owned.push(state::close);
        Eagle3Step built = new Eagle3Step(device, config, dtype, weights, state);
        owned.push(built::close);
        step = built;
    }

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
    public int targetId(int draftId) {
        int[] ids = weights.targetIds();
        return ids == null ? draftId : ids[draftId];
    }

    /** What its weights occupy beside the target's. */
    public long weightBytes() {
        return weights.bytes();
    }

    /** Bytes that its keys and values add to a block of 16 tokens. */
    public long kvBytesPerBlock() {
        return shape.kvBytesPerBlock(target.kvDtype());
    }

    /** What {@link #allocate} has made beside the keys and values. */
    long workspaceBytes() {
        return step().state().workspaceBytes() + step().bytes();
    }

    List<Buffer> caches() {
        DecoderState s = step().state();
        List<Buffer> caches = new ArrayList<>(s.kCaches);
        caches.addAll(s.vCaches);
        return caches;
    }

    private Eagle3Step step() {
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
