package io.cortado.model;

import io.cortado.device.Buffer;
import io.cortado.device.DType;
import io.cortado.device.DenseGemm;
import io.cortado.device.Device;
import io.cortado.device.Kernels;
import io.cortado.device.LatentParams;
import io.cortado.device.LinearHeadsParams;
import io.cortado.device.NormKind;
import io.cortado.device.ResourceStack;
import io.cortado.device.Stream;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * What latent attention has around {@code ct_paged_attention}: queries become latent queries before
 * it, latents become values behind it. All layers share one, and what it computes in.
 */
final class LatentStep implements AutoCloseable {
    private final ResourceStack owned = new ResourceStack();
    private final Device device;
    private final DecoderShape shape;
    private final DecoderShape.Latent latent;
    private final DType dtype;
    private final LatentParams params;
    private final LinearHeadsParams keyUp;
    private final LinearHeadsParams valueUp;
    private long bytes;

    /** [tokens][qkvSize]: what the first projection gives. */
    private final Buffer projected;

    /** The latents in {@link #projected}, and what rotates behind them. */
    private final Buffer kv;

    /** [tokens][heads][nope + rope]. Null: they begin {@link #projected}. */
    private final @Nullable Buffer queries;

    /** [tokens][heads][rank + rope]. */
    private final Buffer latentQueries;

    /** [tokens][heads][value]. */
    private final Buffer values;

    /**
     * @param projected [tokens][qkvSize]
     * @param numPositions rows of the table of angles
     */
    LatentStep(
            Device device,
            DecoderShape shape,
            DType dtype,
            DType kvDtype,
            BatchLimits limits,
            Buffer projected,
            long numPositions) {
        this.device = device;
        this.shape = shape;
        this.dtype = dtype;
        this.projected = projected;
        latent = Objects.requireNonNull(shape.latent());
        int heads = shape.numQHeads();
        long tokens = limits.maxNumBatchedTokens();
        long element = dtype.bytes();
        boolean built = false;
        try {
            kv = kvOf(projected);
            queries =
                    latent.queryRank() == 0
                            ? null
                            : create(tokens * heads * latent.queryDim() * element);
            latentQueries = create(tokens * shape.qSize() * element);
            values = create(tokens * shape.outputSize() * element);
            built = true;
        } finally {
            if (!built) {
                owned.close();
            }
        }
        long queriesStride = queriesStride();
        params =
                new LatentParams(device)
                        .limits(numPositions, (long) limits.numBlocks() * DecoderState.BLOCK_SIZE)
                        .strides(
                                shape.qSize(),
                                queriesStride,
                                shape.qkvSize(),
                                (long) shape.kvSize() * DecoderState.BLOCK_SIZE)
                        .heads(heads, latent.nopeDim(), latent.rank(), latent.ropeDim())
                        .style(shape.layers().getFirst().rope().style())
                        .dtypes(dtype, kvDtype)
                        .eps(shape.norms().eps());
        keyUp =
                new LinearHeadsParams(device)
                        .numHeads(heads)
                        .y(shape.qSize(), shape.headDim(), dtype)
                        .x(queriesStride, latent.queryDim(), dtype);
        valueUp =
                new LinearHeadsParams(device)
                        .numHeads(heads)
                        .y(shape.outputSize(), latent.valueDim(), dtype)
                        .x(shape.attendedSize(), latent.rank(), dtype);
    }

    private Buffer create(long size) {
        Buffer buffer = device.createBuffer(size);
        owned.push(buffer::close);
        bytes += buffer.bytes();
        return buffer;
    }

    private Buffer kvOf(Buffer all) {
        long offset = (long) (shape.qkvSize() - shape.kvSize()) * dtype.bytes();
        if (offset % Buffer.ALIGNMENT != 0) {
            throw ModelException.unsupported(
                    "with latent attention, the projected q of a token must fill a multiple of %d bytes: %d"
                            .formatted(Buffer.ALIGNMENT, offset));
        }
        Buffer view = all.view(offset, all.bytes() - offset);
        owned.push(view::close);
        return view;
    }

    private long queriesStride() {
        return latent.queryRank() == 0
                ? shape.qkvSize()
                : (long) shape.numQHeads() * latent.queryDim();
    }

    /** Of what a step of so many tokens computes in here. */
    static long bytesPerToken(DecoderShape shape, DType dtype) {
        DecoderShape.Latent latent = shape.latent();
        if (latent == null) {
            return 0;
        }
        long ownQueries =
                latent.queryRank() == 0 ? 0 : (long) shape.numQHeads() * latent.queryDim();
        return (ownQueries + shape.qSize() + shape.outputSize()) * dtype.bytes();
    }

    /** What was made. */
    long bytes() {
        return bytes;
    }

    /**
     * Enqueues, behind the first projection: latent queries of the tokens, and their latents in the
     * cache. Gives the queries.
     */
    Buffer queries(
            DecoderWeights.Latent weights,
            Buffer kCache,
            Buffer cosSin,
            LayerInputs in,
            int numTokens,
            DenseGemm gemm,
            Stream stream) {
        Buffer own = queries;
        if (own != null) {
            normQueries(Objects.requireNonNull(weights.queryNorm()), numTokens, stream);
            gemm.enqueue(
                    own,
                    projected,
                    Objects.requireNonNull(weights.queryUp()),
                    null,
                    numTokens,
                    Math.toIntExact(queriesStride()),
                    shape.qkvSize(),
                    dtype,
                    dtype,
                    stream);
        }
        Buffer from = own == null ? projected : own;
        Kernels.linearHeads(latentQueries, from, weights.keyUp(), keyUp.rows(numTokens), stream);
        Kernels.latentKvWrite(
                latentQueries,
                kCache,
                from,
                kv,
                in.positions(),
                in.slotMapping(),
                cosSin,
                weights.kvNorm(),
                params.numTokens(numTokens),
                stream);
        return latentQueries;
    }

    private void normQueries(Buffer weight, int numTokens, Stream stream) {
        int stride = shape.qkvSize();
        Kernels.norm(
                projected,
                null,
                projected,
                weight,
                numTokens,
                latent.queryRank(),
                stride,
                0,
                stride,
                dtype,
                NormKind.RMS,
                shape.norms().eps(),
                1,
                stream);
    }

    /**
     * Enqueues: the heads' values of what attention made of the latents. Gives them.
     *
     * @param attended [tokens][heads][rank]
     */
    Buffer values(DecoderWeights.Latent weights, Buffer attended, int numTokens, Stream stream) {
        Kernels.linearHeads(values, attended, weights.valueUp(), valueUp.rows(numTokens), stream);
        return values;
    }

    @Override
    public void close() {
        owned.close();
    }
}
