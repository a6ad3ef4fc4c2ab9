package io.cortado.moe;

import io.cortado.device.Buffer;
import io.cortado.device.DType;
import io.cortado.device.Device;
import io.cortado.device.MoeCombineParams;
import io.cortado.device.MoeKernels;
import io.cortado.device.MoeParams;
import io.cortado.device.ResourceStack;
import io.cortado.device.Stream;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What a device computes once tokens have chosen their experts: plan, products, sum. */
final class ExpertProducts implements AutoCloseable {
    private final ResourceStack owned = new ResourceStack();
    private final Device device;
    private final ExpertShape shape;
    private final MoeParams products;
    private final MoeCombineParams sums;
    private long bytes;

    private final Buffer plan;

    /** [tokens * topK][hidden]. */
    private final Buffer slots;

    private final Buffer workspace;

    /**
     * @param outDtype of the sum; all else is of dtype
     * @param layers whose experts on this device this will compute
     */
    ExpertProducts(
            Device device,
            ExpertShape shape,
            DType dtype,
            DType outDtype,
            List<ExpertMatrices> layers,
            int maxTokens) {
        this.device = device;
        this.shape = shape;
        int hidden = shape.hiddenSize();
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
                        .dtypes(outDtype, dtype, dtype);
        boolean built = false;
        try {
            long most = workspaceBytes(shape, dtype, maxTokens);
            for (ExpertMatrices layer : layers) {
                most = Math.max(most, layer.weights().workspaceBytes(products));
            }
            plan = create(planBytes(device, shape, maxTokens));
            slots = create((long) maxTokens * shape.topK() * hidden * dtype.bytes());
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
    static long bytes(Device device, ExpertShape shape, DType dtype, int maxTokens) {
        long numSlots = (long) maxTokens * shape.topK();
        return planBytes(device, shape, maxTokens)
                + numSlots * shape.hiddenSize() * dtype.bytes()
                + workspaceBytes(shape, dtype, maxTokens);
    }

    long bytes() {
        return bytes;
    }

    /**
     * Enqueues: out = the weighted sum of each token's experts that are here, and what shared
     * experts add.
     *
     * @param out [tokens][hidden]; may be shared
     * @param ids int32[tokens][topK], as weights float32
     */
    void enqueue(
            Buffer out,
            Buffer x,
            Buffer ids,
            Buffer weights,
            ExpertMatrices layer,
            @Nullable Buffer shared,
            @Nullable Buffer sharedGate,
            int numTokens,
            Stream stream) {
        compute(x, ids, layer, numTokens, stream);
        MoeKernels.combine(
                out,
                slots,
                ids,
                weights,
                layer.present(),
                shared,
                sharedGate,
                sums.numTokens(numTokens),
                stream);
    }

    /** Enqueues: a row in {@link #slots} for each slot of an expert that is here. */
    void compute(Buffer x, Buffer ids, ExpertMatrices layer, int numTokens, Stream stream) {
        MoeKernels.plan(plan, ids, numTokens, shape.topK(), shape.numExperts(), stream);
        MoeKernels.experts(
                slots,
                x,
                plan,
                layer.weights(),
                layer.gateBias(),
                layer.upBias(),
                layer.downBias(),
                workspace,
                products.numTokens(numTokens),
                stream);
    }

    /** [tokens * topK][hidden]. */
    Buffer slots() {
        return slots;
    }

    @Override
    public void close() {
        owned.close();
    }
}
