package io.cortado.model;

import io.cortado.device.Buffer;
import io.cortado.device.DType;
import io.cortado.device.Kernels;
import io.cortado.device.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The layers of a step in two micro-batches that take turns: while one's tokens are with experts on
 * other ranks, the other's attention is computed. Layers before the first with experts have the
 * batch whole. The first micro-batch lies where the whole batch does, so that nothing behind the
 * layers knows of two.
 */
final class MicroBatches {
    private final DecoderShape shape;
    private final DType dtype;
    private final DecoderStep first;
    private final DecoderStep second;
    private final int firstSplit;

    /**
     * @param first of the whole batch too
     * @param second computes in a state of its own
     */
    MicroBatches(DecoderShape shape, DType dtype, DecoderStep first, DecoderStep second) {
        this.shape = shape;
        this.dtype = dtype;
        this.first = first;
        this.second = second;
        int dense = 0;
        while (!shape.layers().get(dense).hasExperts()) {
            dense++;
        }
        firstSplit = dense;
    }

    /** Enqueues all layers, of at least two tokens, behind the embedding. */
    void layers(BatchInputs in, int numTokens, int numSeqs, int maxQLen, Stream stream) {
        for (int i = 0; i < firstSplit; i++) {
            first.layer(i, in.layers(), numTokens, stream);
        }
        BatchHalves halves = in.halve(numTokens, numSeqs, stream);
        int ofFirst = halves.firstTokens();
        int ofSecond = halves.secondTokens();
        first.prepare(halves.first(), ofFirst, halves.firstSeqs(), maxQLen, stream);
        second.prepare(halves.second(), ofSecond, halves.secondSeqs(), maxQLen, stream);
        hand(ofFirst, ofSecond, stream);
        for (int i = firstSplit; i < shape.numLayers(); i++) {
            next(first, i, halves.first(), ofFirst, stream);
            next(second, i, halves.second(), ofSecond, stream);
        }
        first.endLayer(shape.numLayers() - 1, ofFirst, stream);
        second.endLayer(shape.numLayers() - 1, ofSecond, stream);
        takeBack(ofFirst, ofSecond, stream);
    }

    private void next(DecoderStep step, int i, LayerInputs in, int numTokens, Stream stream) {
        if (i > firstSplit) {
            step.endLayer(i - 1, numTokens, stream);
        }
        step.beginLayer(i, in, numTokens, stream);
    }

    /** What the layers before have made of the second's tokens. */
    private void hand(int ofFirst, int ofSecond, Stream stream) {
        long width = shape.hiddenSize();
        copy(second.residual(), 0, first.residual(), ofFirst, ofSecond, width * 4, stream);
        copy(second.hidden(), 0, first.hidden(), ofFirst, ofSecond, width * dtype.bytes(), stream);
        @Nullable LayerStates from = first.kept();
        @Nullable LayerStates to = second.kept();
        if (to != null && from != null) {
            copy(to.all(), 0, from.all(), ofFirst, ofSecond, keptBytes(to), stream);
        }
    }

    private void takeBack(int ofFirst, int ofSecond, Stream stream) {
        long width = shape.hiddenSize();
        copy(first.residual(), ofFirst, second.residual(), 0, ofSecond, width * 4, stream);
        copy(first.hidden(), ofFirst, second.hidden(), 0, ofSecond, width * dtype.bytes(), stream);
        @Nullable LayerStates to = first.kept();
        @Nullable LayerStates from = second.kept();
        if (to != null && from != null) {
            copy(to.all(), ofFirst, from.all(), 0, ofSecond, keptBytes(to), stream);
        }
    }

    private long keptBytes(LayerStates of) {
        return (long) of.stride() * dtype.bytes();
    }

    private static void copy(
            Buffer to, int toRow, Buffer from, int fromRow, int rows, long bytes, Stream stream) {
        Kernels.copy(to, from, toRow * bytes, fromRow * bytes, rows * bytes, stream);
    }
}
