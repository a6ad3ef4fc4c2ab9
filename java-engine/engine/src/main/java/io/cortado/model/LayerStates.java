package io.cortado.model;

import io.cortado.device.Buffer;
import io.cortado.device.DType;
import io.cortado.device.Device;
import io.cortado.device.ResourceStack;
import java.util.HashSet;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The residual stream of a step's tokens before some of the layers, without norm: what a trained
 * draft head reads. [tokens][layer ids][hidden], in the order of the ids and the activations' type.
 */
final class LayerStates implements AutoCloseable {
    private final ResourceStack owned = new ResourceStack();
    private final List<Integer> layerIds;
    private final Buffer states;
    private final @Nullable Buffer[] byLayer;
    private final int stride;

    LayerStates(
            Device device, DecoderShape shape, DType dtype, List<Integer> layerIds, int tokens) {
        this.layerIds = layerIds;
        stride = layerIds.size() * shape.hiddenSize();
        byLayer = new @Nullable Buffer[shape.numLayers() + 1];
        boolean built = false;
        try {
            states = own(device.createBuffer(bytes(shape, dtype, layerIds, tokens)));
            long column = (long) shape.hiddenSize() * dtype.bytes();
            for (int i = 0; i < layerIds.size(); i++) {
                long offset = i * column;
                byLayer[layerIds.get(i)] = own(states.view(offset, states.bytes() - offset));
            }
            built = true;
        } finally {
            if (!built) {
                owned.close();
            }
        }
    }

    private Buffer own(Buffer buffer) {
        owned.push(buffer::close);
        return buffer;
    }

    /**
     * Refuses ids that the model does not have.
     *
     * @param layerIds numLayers: after the last layer
     */
    static void check(DecoderShape shape, DType dtype, List<Integer> layerIds) {
        int last = shape.numLayers();
        boolean isInRange = layerIds.stream().allMatch(id -> id >= 0 && id <= last);
        if (layerIds.isEmpty() || !isInRange || new HashSet<>(layerIds).size() != layerIds.size()) {
            throw ModelException.invalid(
                    "layers whose states are kept must be different ones in [0, %d]: %s"
                            .formatted(last, layerIds));
        }
        requireAligned(shape.hiddenSize(), dtype);
    }

    /** Columns of hidden states side by side are views of one buffer. */
    static void requireAligned(int hiddenSize, DType dtype) {
        if ((long) hiddenSize * dtype.bytes() % Buffer.ALIGNMENT != 0) {
            throw ModelException.unsupported(
                    "with a draft head, a hidden state must fill a multiple of %d bytes: hidden_size=%d"
                            .formatted(Buffer.ALIGNMENT, hiddenSize));
        }
    }

    static long bytes(DecoderShape shape, DType dtype, List<Integer> layerIds, int tokens) {
        return (long) tokens * layerIds.size() * shape.hiddenSize() * dtype.bytes();
    }

    List<Integer> layerIds() {
        return layerIds;
    }

    Buffer all() {
        return states;
    }

    /** Where the state before a layer goes, rows {@link #stride} apart; null: it is not kept. */
    @Nullable Buffer of(int layer) {
        return byLayer[layer];
    }

    int stride() {
        return stride;
    }

    @Override
    public void close() {
        owned.close();
    }
}
