package io.cortado.model;

import io.cortado.device.DType;
import io.cortado.device.Device;
import io.cortado.device.ResourceStack;
import io.cortado.device.Staging;
import java.nio.file.Path;
import java.util.List;

/**
 * The layer of a model's own files that was trained to predict a further token (DeepSeek-V3, arXiv
 * 2412.19437): its feature of a token is the target's last hidden state, or its own after a pass,
 * so that one layer drafts a whole chain.
 */
public final class MtpHead extends DraftHead {
    private final DecoderShape shape;
    private final MtpWeights weights;

    private MtpHead(
            Device device,
            CausalLm target,
            DecoderShape shape,
            MtpWeights weights,
            ResourceStack owned) {
        super(device, target, shape, layerIds(target.config()), weights.decoder(), owned);
        this.shape = shape;
        this.weights = weights;
    }

    /** What to ask the target for: {@link CausalLm#keepStates}. */
    public static List<Integer> layerIds(ModelConfig target) {
        return List.of(target.numLayers());
    }

    /**
     * Packs the layer's weights for its target's device and types.
     *
     * @param folder the target's
     * @param dummyWeights random weights instead
     */
    public static MtpHead load(Device device, Path folder, CausalLm target, boolean dummyWeights) {
        ModelConfig config = target.config();
        DType dtype = target.dtype();
        ResourceStack owned = new ResourceStack();
        boolean loaded = false;
        try (Staging staging = new Staging(device);
                TensorSource source =
                        TensorSource.open(device, folder, config, dtype, dummyWeights)) {
            LayerStates.requireAligned(config.hiddenSize(), dtype);
            MtpWeights weights =
                    new MtpLoader(source, config)
                            .load(device, staging, dtype, target.weights(), owned);
            loaded = true;
            return new MtpHead(device, target, config.shape().draftShape(), weights, owned);
        } finally {
            if (!loaded) {
                owned.close();
            }
        }
    }

    /** What {@link #load} will occupy, to the byte; before anything is read. */
    public static long weightBytes(
            Device device,
            Path folder,
            ModelConfig target,
            Activations activations,
            boolean dummyWeights) {
        DType dtype = activations.dtype();
        try (TensorSource source = TensorSource.open(device, folder, target, dtype, dummyWeights)) {
            return new MtpLoader(source, target).plan(device, dtype).bytes();
        }
    }

    /**
     * What {@link #allocate} makes beside the keys and values, with the target's arguments; without
     * inputs and drafts.
     */
    public static long workspaceBytes(
            Device device,
            ModelConfig target,
            Activations activations,
            KvType kvType,
            int maxNumSeqs,
            int maxNumBatchedTokens,
            int maxBlocksPerSeq,
            int maxLogitRows,
            boolean isDeterministic) {
        return workspaceBytes(
                device,
                target.shape().draftShape(),
                target.hiddenSize(),
                activations,
                kvType,
                maxNumSeqs,
                maxNumBatchedTokens,
                maxBlocksPerSeq,
                maxLogitRows,
                isDeterministic);
    }

    /** Bytes that its keys and values add to each block of 16 tokens of the target's cache. */
    public static long kvBytesPerBlock(ModelConfig target, Activations activations, KvType kvType) {
        return target.shape().draftShape().kvBytesPerBlock(kvType.dtype(activations));
    }

    @Override
    DraftStep createStep(DecoderState state) {
        return new MtpStep(device, shape, target.dtype(), weights, target.weights().norm(), state);
    }

    @Override
    public int targetId(int draftId) {
        return draftId;
    }

    @Override
    public long weightBytes() {
        return weights.bytes();
    }
}
