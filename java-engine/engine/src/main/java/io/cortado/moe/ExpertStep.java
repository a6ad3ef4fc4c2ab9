package io.cortado.moe;

import io.cortado.device.Buffer;
import io.cortado.device.DType;
import io.cortado.device.DenseGemm;
import io.cortado.device.Device;
import io.cortado.device.MoeCombineParams;
import io.cortado.device.MoeKernels;
import io.cortado.device.MoeParams;
import io.cortado.device.MoeRouteParams;
import io.cortado.device.ResourceStack;
import io.cortado.device.Stream;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Enqueues the experts of a layer: route, plan, compute, combine. All layers of a model share one,
 * and what it computes in.
 */
public final class ExpertStep implements AutoCloseable {
    private final ResourceStack owned = new ResourceStack();
    private final Device device;
    private final ExpertShape shape;
    private final DType dtype;
    private final MoeRouteParams routing;
    private final MoeParams products;
    private final MoeCombineParams sums;
    private long bytes;

    /** float32 [tokens][experts]. */
    private final Buffer logits;

    /** int32 [tokens][topK]. */
    private final Buffer ids;

    /** float32 [tokens][topK]. */
    private final Buffer weights;

    private final Buffer plan;

    /** [tokens * topK][hidden]. */
    private final Buffer slots;

    private final Buffer workspace;

    /**
     * @param layers all whose experts this will compute
     * @param maxTokens of a step
     */
    public ExpertStep(
            Device device,
            ExpertShape shape,
            DType dtype,
            List<ExpertLayer> layers,
            int maxTokens) {
        this.device = device;
        this.shape = shape;
        this.dtype = dtype;
        int hidden = shape.hiddenSize();
        routing = shape.routing().params(device);
        products =
                new MoeParams(device)
                        .numTokens(maxTokens)
                        .strides(hidden, hidden)
                        .topK(shape.topK())
                        .dtypes(dtype, dtype)
                        .activation(shape.activation())
                        .clamp(shape.alpha(), shape.limit());
        sums =
                new MoeCombineParams(device)
                        .cols(hidden)
                        .strides(hidden, hidden, hidden)
                        .experts(shape.numExperts(), shape.topK())
                        .dtypes(dtype, dtype, dtype);
        boolean built = false;
        try {
            long most = workspaceBytes(shape, dtype, maxTokens);
            for (ExpertLayer layer : layers) {
                most = Math.max(most, layer.experts().workspaceBytes(products));
            }
            long numSlots = (long) maxTokens * shape.topK();
            logits = create(4L * maxTokens * shape.numExperts());
            ids = create(4 * numSlots);
            weights = create(4 * numSlots);
            plan = create(planBytes(device, shape, maxTokens));
            slots = create(numSlots * hidden * dtype.bytes());
            workspace = create(most);
            built = true;
        } finally {
            if (!built) {
                owned.close();
            }
        }
    }

    private Buffer create(long bytes) {
        Buffer buffer = device.createBuffer(bytes);
        owned.push(buffer::close);
        this.bytes += buffer.bytes();
        return buffer;
    }

    private static long planBytes(Device device, ExpertShape shape, int maxTokens) {
        return MoeKernels.planBytes(device, maxTokens, shape.topK(), shape.numExperts());
    }

    /**
     * Of {@code ct_moe_experts}, whatever the format of the weights: the rows of both products, and
     * sums of x over 16 columns or more.
     */
    private static long workspaceBytes(ExpertShape shape, DType dtype, int maxTokens) {
        long numSlots = (long) maxTokens * shape.topK();
        long inner = shape.innerSize();
        long hidden = shape.hiddenSize();
        long floats = Math.max(2 * hidden, inner) / 16 + 32;
        return Buffer.ALIGNMENT * 4L
                + numSlots * ((inner + hidden) * dtype.bytes() + floats * Float.BYTES);
    }

    /** Of what a step of so many tokens computes in, before anything is loaded. */
    public static long bytes(Device device, ExpertShape shape, DType dtype, int maxTokens) {
        long numSlots = (long) maxTokens * shape.topK();
        return 4L * maxTokens * shape.numExperts()
                + 8 * numSlots
                + planBytes(device, shape, maxTokens)
                + numSlots * shape.hiddenSize() * dtype.bytes()
                + workspaceBytes(shape, dtype, maxTokens);
    }

    /** What was made. */
    public long bytes() {
        return bytes;
    }

    /**
     * Enqueues: out = the weighted sum of each token's experts, and what shared experts add.
     *
     * @param out [tokens][hidden]; may be shared
     * @param x as large
     * @param sharedGate float32[tokens]: logits of what shared is multiplied with; null: 1
     */
    public void enqueue(
            Buffer out,
            Buffer x,
            ExpertLayer layer,
            @Nullable Buffer shared,
            @Nullable Buffer sharedGate,
            int numTokens,
            DenseGemm gemm,
            Stream stream) {
        int numExperts = shape.numExperts();
        int topK = shape.topK();
        gemm.enqueue(
                logits,
                x,
                layer.router(),
                layer.routerBias(),
                numTokens,
                numExperts,
                shape.hiddenSize(),
                DType.F32,
                dtype,
                stream);
        routing.numTokens(numTokens);
        MoeKernels.route(ids, weights, null, logits, layer.correction(), routing, stream);
        MoeKernels.plan(plan, ids, numTokens, topK, numExperts, stream);
        MoeKernels.experts(
                slots,
                x,
                plan,
                layer.experts(),
                layer.gateBias(),
                layer.upBias(),
                layer.downBias(),
                workspace,
                products.numTokens(numTokens),
                stream);
        MoeKernels.combine(
                out, slots, ids, weights, shared, sharedGate, sums.numTokens(numTokens), stream);
    }

    @Override
    public void close() {
        owned.close();
    }
}
