package io.cortado.moe;

import io.cortado.device.Buffer;
import io.cortado.device.DType;
import io.cortado.device.Device;
import io.cortado.device.Event;
import io.cortado.device.Kernels;
import io.cortado.device.MoeCombineParams;
import io.cortado.device.MoeKernels;
import io.cortado.device.Placement;
import io.cortado.device.ResourceStack;
import io.cortado.device.Staging;
import io.cortado.device.Stream;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Experts that the CPU computes while all else runs on another device. A layer's rows and choices
 * go to host memory and the weighted sums, in float32, come back from it, so that the arithmetic is
 * that of one device. The two wait for each other's events and not for the caller. Experts that are
 * on the other device all the same it computes meanwhile, and their sums in float32 are added.
 */
final class HostExperts implements AutoCloseable {
    private static final long FOR_A_WHILE_MS = 600_000;
    private static final int STEPS_UNDER_WAY = 2;

    private final ResourceStack owned = new ResourceStack();
    private final ExpertShape shape;
    private final DType dtype;
    private final ExpertProducts products;
    private final MoeCombineParams addition;

    /** To the sums of hot experts. */
    private final MoeCombineParams additionToHot;

    /** Of hot experts; null: there are none. */
    private final @Nullable ExpertProducts hotProducts;

    /** float32[tokens][hidden]. */
    private final @Nullable Buffer hotSums;

    private final long deviceBytes;
    private final Stream cpuStream;

    /** Host memory that both devices reach. */
    private record Shared(Buffer device, Buffer cpu) {}

    private final Shared x;
    private final Shared ids;
    private final Shared weights;
    private final Shared sums;

    /** Each token has one sum, whose weight is 1: int32[tokens] of 0, float32[tokens] of 1. */
    private final Buffer first;

    private final Buffer one;

    /** Rows and choices are there, sums are there: for each layer of the steps under way. */
    private final Event[] ready;

    private final Event[] done;
    private int turn;

    HostExperts(
            Placement placement,
            Device cpu,
            ExpertShape shape,
            DType dtype,
            List<ExpertLayer> layers,
            int maxTokens) {
        Device device = placement.device();
        this.shape = shape;
        this.dtype = dtype;
        int hidden = shape.hiddenSize();
        addition = addition(device, dtype);
        additionToHot = addition(device, DType.F32);
        List<ExpertMatrices> cold = layers.stream().map(ExpertLayer::held).toList();
        List<ExpertMatrices> hot =
                layers.stream().map(ExpertLayer::hot).filter(Objects::nonNull).toList();
        long slots = (long) maxTokens * shape.topK();
        ready = new Event[STEPS_UNDER_WAY * Math.max(1, layers.size())];
        done = new Event[ready.length];
        boolean built = false;
        try (Staging staging = new Staging(device)) {
            products = new ExpertProducts(cpu, shape, dtype, DType.F32, cold, maxTokens);
            owned.push(products::close);
            long bytes = (long) maxTokens * (Integer.BYTES + Float.BYTES);
            if (placement.hot().ids().isEmpty()) {
                hotProducts = null;
                hotSums = null;
            } else {
                hotProducts = new ExpertProducts(device, shape, dtype, DType.F32, hot, maxTokens);
                owned.push(hotProducts::close);
                hotSums = own(device.createBuffer((long) maxTokens * hidden * Float.BYTES));
                bytes += hotProducts.bytes() + hotSums.bytes();
            }
            deviceBytes = bytes;
            x = share(device, cpu, (long) maxTokens * hidden * dtype.bytes());
            ids = share(device, cpu, slots * Integer.BYTES);
            weights = share(device, cpu, slots * Float.BYTES);
            sums = share(device, cpu, (long) maxTokens * hidden * Float.BYTES);
            first = own(device.createBuffer((long) maxTokens * Integer.BYTES));
            one =
                    own(
                            staging.create(
                                    (long) maxTokens * Float.BYTES,
                                    to -> {
                                        for (int i = 0; i < maxTokens; i++) {
                                            to.setAtIndex(ValueLayout.JAVA_FLOAT, i, 1);
                                        }
                                    }));
            for (int i = 0; i < ready.length; i++) {
                ready[i] = device.createEvent();
                owned.push(ready[i]::close);
                done[i] = cpu.createEvent();
                owned.push(done[i]::close);
            }
            // Made last, closed first: it waits for what is under way.
            cpuStream = cpu.createStream();
            owned.push(cpuStream::close);
            built = true;
        } finally {
            if (!built) {
                owned.close();
            }
        }
    }

    private MoeCombineParams addition(Device device, DType sharedDtype) {
        int hidden = shape.hiddenSize();
        return new MoeCombineParams(device)
                .cols(hidden)
                .strides(hidden, hidden, hidden)
                .experts(1, 1)
                .dtypes(dtype, DType.F32, sharedDtype);
    }

    private Shared share(Device device, Device cpu, long bytes) {
        Buffer ofDevice = own(device.createHostBuffer(bytes));
        return new Shared(ofDevice, own(ofDevice.shareWith(cpu)));
    }

    private Buffer own(Buffer buffer) {
        owned.push(buffer::close);
        return buffer;
    }

    /** On the device that runs all else. */
    static long deviceBytes(Placement placement, ExpertShape shape, DType dtype, int maxTokens) {
        long bytes = (long) maxTokens * (Integer.BYTES + Float.BYTES);
        return placement.hot().ids().isEmpty()
                ? bytes
                : bytes
                        + (long) maxTokens * shape.hiddenSize() * Float.BYTES
                        + ExpertProducts.bytes(placement.device(), shape, dtype, maxTokens);
    }

    /** What was made of it. */
    long deviceBytes() {
        return deviceBytes;
    }

    /** In host memory. */
    static long hostBytes(Device cpu, ExpertShape shape, DType dtype, int maxTokens) {
        long perToken =
                shape.hiddenSize() * (long) (dtype.bytes() + Float.BYTES)
                        + shape.topK() * (long) (Integer.BYTES + Float.BYTES);
        return maxTokens * perToken + ExpertProducts.bytes(cpu, shape, dtype, maxTokens);
    }

    /** Where the device's routing writes its choices: int32[tokens][topK]. */
    Buffer ids() {
        return ids.device;
    }

    /** The same of their weights, float32. */
    Buffer weights() {
        return weights.device;
    }

    /** Enqueues on both devices; arguments as {@link ExpertProducts#enqueue}. */
    void enqueue(
            Buffer out,
            Buffer rows,
            ExpertLayer layer,
            @Nullable Buffer shared,
            @Nullable Buffer sharedGate,
            int numTokens,
            Stream stream) {
        Event isReady = ready[turn];
        Event isDone = done[turn];
        turn = (turn + 1) % ready.length;
        while (!isDone.await(FOR_A_WHILE_MS)) {
            // of the step before the last: the events are its own until then
        }
        long bytes = (long) numTokens * shape.hiddenSize() * dtype.bytes();
        Kernels.copy(x.device, rows, 0, 0, bytes, stream);
        isReady.record(stream);
        cpuStream.await(isReady);
        products.enqueue(
                sums.cpu,
                x.cpu,
                ids.cpu,
                weights.cpu,
                layer.held(),
                null,
                null,
                numTokens,
                cpuStream);
        isDone.record(cpuStream);
        ExpertMatrices hot = layer.hot();
        if (hot != null && hotProducts != null && hotSums != null) {
            hotProducts.enqueue(
                    hotSums,
                    rows,
                    ids.device,
                    weights.device,
                    hot,
                    shared,
                    sharedGate,
                    numTokens,
                    stream);
            stream.await(isDone);
            add(out, hotSums, null, additionToHot, numTokens, stream);
        } else {
            stream.await(isDone);
            add(out, shared, sharedGate, addition, numTokens, stream);
        }
    }

    /** out = the CPU's sums and what else there is. */
    private void add(
            Buffer out,
            @Nullable Buffer other,
            @Nullable Buffer otherGate,
            MoeCombineParams how,
            int numTokens,
            Stream stream) {
        how.numTokens(numTokens);
        MoeKernels.combine(out, sums.device, first, one, null, other, otherGate, how, stream);
    }

    @Override
    public void close() {
        owned.close();
    }
}
