package io.cortado.model;

import io.cortado.device.Device;
import io.cortado.device.ResourceStack;
import io.cortado.device.Staging;
import java.nio.file.Path;

/**
 * An EAGLE-3 head (Li et al. 2025, arXiv 2503.01840): its feature of a token comes from three
 * hidden states of the target.
 */
public final class Eagle3Head extends DraftHead {
    private final Eagle3Config config;
    private final Eagle3Weights weights;

    private Eagle3Head(
            Device device,
            CausalLm target,
            Eagle3Config config,
            Eagle3Weights weights,
            ResourceStack owned) {
        super(device, target, config.shape(), config.layerIds(), weights.decoder(), owned);
        this.config = config;
        this.weights = weights;
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
        return workspaceBytes(
                device,
                config.shape(),
                config.keptSize(),
                activations,
                kvType,
                maxNumSeqs,
                maxNumBatchedTokens,
                maxBlocksPerSeq,
                maxLogitRows,
                isDeterministic);
    }

    @Override
    DraftStep createStep(DecoderState state) {
        return new Eagle3Step(device, config, target.dtype(), weights, state);
    }

    @Override
    public int targetId(int draftId) {
        int[] ids = weights.targetIds();
        return ids == null ? draftId : ids[draftId];
    }

    @Override
    public long weightBytes() {
        return weights.bytes();
    }
}
