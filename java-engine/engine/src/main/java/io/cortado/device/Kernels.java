package io.cortado.device;

import static io.cortado.device.NativeException.check;
import static io.cortado.device.NativeHandle.addressOrNull;

import io.cortado.bindings.CortadoNative;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * The operations of the native library, named and ordered as in {@code cortado.h}, where shapes and
 * contracts are told. Each only enqueues, and allocates nothing.
 */
public final class Kernels {
    private Kernels() {}

    public static void copy(
            Buffer destination,
            Buffer source,
            long destinationOffsetBytes,
            long sourceOffsetBytes,
            long bytes,
            Stream stream) {
        check(
                CortadoNative.ct_copy(
                        destination.address(),
                        source.address(),
                        destinationOffsetBytes,
                        sourceOffsetBytes,
                        bytes,
                        stream.address()));
    }

    public static void fill(
            Buffer destination, long offsetBytes, long bytes, int value, Stream stream) {
        check(
                CortadoNative.ct_fill(
                        destination.address(), offsetBytes, bytes, value, stream.address()));
    }

    /** Copies blocks by pairs (source, destination); see {@code ct_copy_blocks}. */
    public static void copyBlocks(
            Buffer destination,
            Buffer source,
            Buffer pairs,
            long numPairs,
            long blockBytes,
            Stream stream) {
        check(
                CortadoNative.ct_copy_blocks(
                        destination.address(),
                        source.address(),
                        pairs.address(),
                        numPairs,
                        blockBytes,
                        stream.address()));
    }

    /**
     * Rows within host memory, copied when this returns: by the threads of the device where they
     * are free, else by the caller's.
     *
     * @param moves int64[count][2]: to, from, in bytes
     * @throws NativeException with {@link Status#INVALID} if a row lies outside
     */
    public static void copyHostRows(
            MemorySegment to,
            MemorySegment from,
            MemorySegment moves,
            long count,
            long rowBytes,
            Device device) {
        check(
                CortadoNative.ct_host_copy_rows(
                        to,
                        to.byteSize(),
                        from,
                        from.byteSize(),
                        moves,
                        count,
                        rowBytes,
                        device.address()));
    }

    /** Puts drawn tokens into the next step's ids; see {@code ct_feed_tokens}. */
    public static void feedTokens(
            Buffer ids, Buffer tokens, Buffer rows, long numTokens, long numRows, Stream stream) {
        check(
                CortadoNative.ct_feed_tokens(
                        ids.address(),
                        tokens.address(),
                        rows.address(),
                        numTokens,
                        numRows,
                        stream.address()));
    }

    public static void embedding(
            Buffer y,
            Weights table,
            Buffer ids,
            long numTokens,
            long yStride,
            DType dtype,
            float scale,
            Stream stream) {
        check(
                CortadoNative.ct_embedding(
                        y.address(),
                        table.address(),
                        ids.address(),
                        numTokens,
                        yStride,
                        dtype.code(),
                        scale,
                        stream.address()));
    }

    public static void gatherRows(
            Buffer y,
            Buffer x,
            Buffer rows,
            long numRows,
            long cols,
            long xRows,
            long yStride,
            long xStride,
            DType dtype,
            Stream stream) {
        check(
                CortadoNative.ct_gather_rows(
                        y.address(),
                        x.address(),
                        rows.address(),
                        numRows,
                        cols,
                        xRows,
                        yStride,
                        xStride,
                        dtype.code(),
                        stream.address()));
    }

    public static void sumRows(
            Buffer sums,
            Buffer x,
            Buffer segments,
            long numSegments,
            long cols,
            long numSums,
            long xRows,
            long xStride,
            DType dtype,
            Stream stream) {
        check(
                CortadoNative.ct_sum_rows(
                        sums.address(),
                        x.address(),
                        segments.address(),
                        numSegments,
                        cols,
                        numSums,
                        xRows,
                        xStride,
                        dtype.code(),
                        stream.address()));
    }

    public static void norm(
            Buffer y,
            @Nullable Buffer residual,
            Buffer x,
            @Nullable Buffer weight,
            long rows,
            long cols,
            long yStride,
            long residualStride,
            long xStride,
            DType dtype,
            NormKind kind,
            float eps,
            float xScale,
            Stream stream) {
        check(
                CortadoNative.ct_norm(
                        y.address(),
                        addressOrNull(residual),
                        x.address(),
                        addressOrNull(weight),
                        rows,
                        cols,
                        yStride,
                        residualStride,
                        xStride,
                        dtype.code(),
                        kind.code(),
                        eps,
                        xScale,
                        stream.address()));
    }

    public static void ropeKvWrite(
            Buffer q,
            Buffer kCache,
            Buffer vCache,
            Buffer qkv,
            Buffer positions,
            Buffer slotMapping,
            @Nullable Buffer cosSin,
            @Nullable Buffer qNorm,
            @Nullable Buffer kNorm,
            RopeParams params,
            Stream stream) {
        check(
                CortadoNative.ct_rope_kv_write(
                        q.address(),
                        kCache.address(),
                        vCache.address(),
                        qkv.address(),
                        positions.address(),
                        slotMapping.address(),
                        addressOrNull(cosSin),
                        addressOrNull(qNorm),
                        addressOrNull(kNorm),
                        params.struct(),
                        stream.address()));
    }

    /** Rotates queries and writes latents to the cache; see {@code ct_latent_kv_write}. */
    public static void latentKvWrite(
            Buffer q,
            Buffer kCache,
            Buffer queries,
            Buffer kv,
            Buffer positions,
            Buffer slotMapping,
            Buffer cosSin,
            Buffer kvNorm,
            LatentParams params,
            Stream stream) {
        check(
                CortadoNative.ct_latent_kv_write(
                        q.address(),
                        kCache.address(),
                        queries.address(),
                        kv.address(),
                        positions.address(),
                        slotMapping.address(),
                        cosSin.address(),
                        kvNorm.address(),
                        params.struct(),
                        stream.address()));
    }

    /** Each head of a row times a matrix of its own. */
    public static void linearHeads(
            Buffer y, Buffer x, Weights weights, LinearHeadsParams params, Stream stream) {
        check(
                CortadoNative.ct_linear_heads(
                        y.address(),
                        x.address(),
                        weights.address(),
                        params.struct(),
                        stream.address()));
    }

    /** Cuts the keys of a batch into tasks, once a step; see {@code ct_attention_plan}. */
    public static void attentionPlan(
            @Nullable Buffer plan,
            Buffer cuSeqlensQ,
            Buffer seqlensKv,
            AttentionParams params,
            Stream stream) {
        check(
                CortadoNative.ct_attention_plan(
                        addressOrNull(plan),
                        cuSeqlensQ.address(),
                        seqlensKv.address(),
                        params.struct(),
                        stream.address()));
    }

    public static void pagedAttention(
            Buffer out,
            @Nullable Buffer lse,
            Buffer q,
            Buffer kCache,
            @Nullable Buffer vCache,
            Buffer blockTable,
            Buffer cuSeqlensQ,
            Buffer seqlensKv,
            @Nullable Buffer sinks,
            @Nullable Buffer treeMask,
            @Nullable Buffer plan,
            AttentionParams params,
            Stream stream) {
        check(
                CortadoNative.ct_paged_attention(
                        out.address(),
                        addressOrNull(lse),
                        q.address(),
                        kCache.address(),
                        addressOrNull(vCache),
                        blockTable.address(),
                        cuSeqlensQ.address(),
                        seqlensKv.address(),
                        addressOrNull(sinks),
                        addressOrNull(treeMask),
                        addressOrNull(plan),
                        params.struct(),
                        stream.address()));
    }

    public static void linear(
            Buffer y,
            Buffer x,
            Weights weights,
            @Nullable Buffer bias,
            long rows,
            long yStride,
            long xStride,
            DType yDtype,
            DType xDtype,
            Stream stream) {
        check(
                CortadoNative.ct_linear(
                        y.address(),
                        x.address(),
                        weights.address(),
                        addressOrNull(bias),
                        rows,
                        yStride,
                        xStride,
                        yDtype.code(),
                        xDtype.code(),
                        stream.address()));
    }

    public static void activationMul(
            Buffer y,
            Buffer x,
            long rows,
            long cols,
            long yStride,
            long xStride,
            DType dtype,
            Activation activation,
            Stream stream) {
        check(
                CortadoNative.ct_activation_mul(
                        y.address(),
                        x.address(),
                        rows,
                        cols,
                        yStride,
                        xStride,
                        dtype.code(),
                        activation.code(),
                        stream.address()));
    }

    /** x = cap * tanh(scale * x / cap), float32; cap 0: scale * x. */
    public static void softCap(
            Buffer x, long rows, long cols, long stride, float scale, float cap, Stream stream) {
        check(
                CortadoNative.ct_soft_cap(
                        x.address(), rows, cols, stride, scale, cap, stream.address()));
    }

    /** The largest logit's id of each row; see {@code ct_argmax}. */
    public static void argmax(
            Buffer token, Buffer logits, long rows, long cols, long stride, Stream stream) {
        check(
                CortadoNative.ct_argmax(
                        token.address(), logits.address(), rows, cols, stride, stream.address()));
    }

    /** Draws a token a row: {@code ct_sample} tells the shapes. */
    public static void sample(
            Buffer token,
            Buffer logprob,
            Buffer rank,
            @Nullable Buffer topIds,
            @Nullable Buffer topLogprobs,
            Buffer status,
            @Nullable Buffer state,
            Buffer logits,
            Buffer rows,
            @Nullable Buffer biasIds,
            @Nullable Buffer biasValues,
            @Nullable Buffer historyIds,
            @Nullable Buffer masks,
            @Nullable Buffer workspace,
            SampleParams params,
            Stream stream) {
        check(
                CortadoNative.ct_sample(
                        token.address(),
                        logprob.address(),
                        rank.address(),
                        addressOrNull(topIds),
                        addressOrNull(topLogprobs),
                        status.address(),
                        addressOrNull(state),
                        logits.address(),
                        rows.address(),
                        addressOrNull(biasIds),
                        addressOrNull(biasValues),
                        addressOrNull(historyIds),
                        addressOrNull(masks),
                        addressOrNull(workspace),
                        params.struct(),
                        stream.address()));
    }

    /** Which drafts stand, and the token behind them: {@code ct_verify} tells the shapes. */
    public static void verify(
            Buffer tokens,
            Buffer accepted,
            Buffer path,
            Buffer status,
            @Nullable Buffer moves,
            @Nullable Buffer state,
            Buffer logits,
            Buffer rows,
            @Nullable Buffer draftLogits,
            @Nullable Buffer draftParams,
            @Nullable Buffer biasIds,
            @Nullable Buffer biasValues,
            @Nullable Buffer historyIds,
            @Nullable Buffer masks,
            Buffer cuRows,
            Buffer draftIds,
            @Nullable Buffer parents,
            @Nullable Buffer draftRows,
            @Nullable Buffer slots,
            @Nullable Buffer workspace,
            VerifyParams params,
            Stream stream) {
        check(
                CortadoNative.ct_verify(
                        tokens.address(),
                        accepted.address(),
                        path.address(),
                        status.address(),
                        addressOrNull(moves),
                        addressOrNull(state),
                        logits.address(),
                        rows.address(),
                        addressOrNull(draftLogits),
                        addressOrNull(draftParams),
                        addressOrNull(biasIds),
                        addressOrNull(biasValues),
                        addressOrNull(historyIds),
                        addressOrNull(masks),
                        cuRows.address(),
                        draftIds.address(),
                        addressOrNull(parents),
                        addressOrNull(draftRows),
                        addressOrNull(slots),
                        addressOrNull(workspace),
                        params.struct(),
                        stream.address()));
    }

    /** Brings the accepted path's keys and values together; see {@code ct_kv_move}. */
    public static void kvMove(
            Buffer kCache,
            @Nullable Buffer vCache,
            Buffer moves,
            @Nullable Buffer counts,
            KvMoveParams params,
            Stream stream) {
        check(
                CortadoNative.ct_kv_move(
                        kCache.address(),
                        addressOrNull(vCache),
                        moves.address(),
                        addressOrNull(counts),
                        params.struct(),
                        stream.address()));
    }
}
