package io.cortado.model;

import io.cortado.device.Buffer;
import io.cortado.device.DType;
import io.cortado.device.DenseGemm;
import io.cortado.device.Stream;
import io.cortado.device.Weights;
import org.jspecify.annotations.Nullable;

/** What ends attention and MLP: a product into the hidden states, over all ranks. */
final class OutputProjection {
    private final DenseGemm gemm;
    private final Buffer hidden;
    private final int width;
    private final DType dtype;
    private final @Nullable RankStep ranks;

    /**
     * @param ranks those that have the other columns; null: all are here
     */
    OutputProjection(
            DenseGemm gemm, Buffer hidden, int width, DType dtype, @Nullable RankStep ranks) {
        this.gemm = gemm;
        this.hidden = hidden;
        this.width = width;
        this.dtype = dtype;
        this.ranks = ranks;
    }

    /**
     * Enqueues: hidden = x W^T + bias.
     *
     * @param normed finite values of the same rows
     */
    void enqueue(
            Buffer x,
            Weights weights,
            @Nullable Buffer bias,
            int numTokens,
            int xStride,
            Buffer normed,
            Stream stream) {
        Buffer y = ranks == null ? hidden : ranks.partial();
        DType yDtype = ranks == null ? dtype : DType.F32;
        gemm.enqueue(y, x, weights, bias, numTokens, width, xStride, yDtype, dtype, stream);
        if (ranks != null) {
            ranks.sum(hidden, normed, numTokens, stream);
        }
    }
}
