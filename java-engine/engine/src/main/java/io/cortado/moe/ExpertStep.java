package io.cortado.moe;

import io.cortado.device.Buffer;
import io.cortado.device.DType;
import io.cortado.device.DenseGemm;
import io.cortado.device.Device;
import io.cortado.device.MoeKernels;
import io.cortado.device.MoeRouteParams;
import io.cortado.device.Placement;
import io.cortado.device.ResourceStack;
import io.cortado.device.Stream;
import java.lang.foreign.MemorySegment;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Enqueues the experts of a layer: route, then plan, compute and combine, here, on the CPU or on
 * other ranks. All layers of a model share one, and what it computes in; of a pass in two
 * micro-batches each has one.
 */
public final class ExpertStep implements AutoCloseable {
    private final ResourceStack owned = new ResourceStack();
    private final ExpertShape shape;
    private final DType dtype;
    private final MoeRouteParams routing;
    private final ExpertLoads loads;
    private final Map<ExpertLayer, Buffer> loadsOfLayer;
    private final @Nullable HostExperts onHost;
    private final @Nullable ExpertProducts products;
    private final @Nullable RemoteExperts remote;
    private final @Nullable RemoteTokens tokens;
    private final int microBatch;
    private final Map<ExpertLayer, Integer> numbers;
    private final long bytes;

    /** float32 [tokens][experts]. */
    private final Buffer logits;

    /** int32 [tokens][topK]. */
    private final Buffer ids;

    /** float32 [tokens][topK]. */
    private final Buffer weights;

    /**
     * @param numLayers those with experts
     * @param layers all whose experts this will compute, in the model's order
     * @param maxTokens of a step
     * @param link to the ranks that hold the experts, where the placement has none; closed by none
     */
    public ExpertStep(
            Placement placement,
            ExpertShape shape,
            DType dtype,
            int numLayers,
            List<ExpertLayer> layers,
            int maxTokens,
            @Nullable ExpertLink link) {
        this.shape = shape;
        this.dtype = dtype;
        Device device = placement.device();
        Device cpu = placement.expertDevice();
        routing = shape.routing().params(device);
        microBatch = 0;
        loadsOfLayer = new IdentityHashMap<>();
        numbers = new IdentityHashMap<>();
        long slots = (long) maxTokens * shape.topK();
        boolean built = false;
        try {
            loads = new ExpertLoads(device, numLayers, shape.numExperts());
            owned.push(loads::close);
            for (int i = 0; i < layers.size(); i++) {
                loadsOfLayer.put(layers.get(i), loads.of(i));
                numbers.put(layers.get(i), i);
            }
            logits = own(device.createBuffer(4L * maxTokens * shape.numExperts()));
            if (link != null) {
                onHost = null;
                products = null;
                remote = new RemoteExperts(device, link, shape, dtype, maxTokens);
                owned.push(remote::close);
                tokens = remote.microBatch(0);
                ids = tokens.ids();
                weights = tokens.weights();
                bytes = loads.bytes() + logits.bytes() + tokens.bytes();
            } else if (cpu == null) {
                onHost = null;
                remote = null;
                tokens = null;
                ids = own(device.createBuffer(4 * slots));
                weights = own(device.createBuffer(4 * slots));
                List<ExpertMatrices> all = layers.stream().map(ExpertLayer::held).toList();
                products = new ExpertProducts(device, shape, dtype, dtype, all, maxTokens);
                owned.push(products::close);
                bytes = loads.bytes() + logits.bytes() + 8 * slots + products.bytes();
            } else {
                products = null;
                remote = null;
                tokens = null;
                onHost = new HostExperts(placement, cpu, shape, dtype, layers, maxTokens);
                owned.push(onHost::close);
                ids = onHost.ids();
                weights = onHost.weights();
                bytes = loads.bytes() + logits.bytes() + onHost.deviceBytes();
            }
            built = true;
        } finally {
            if (!built) {
                owned.close();
            }
        }
    }

    /** Of the second micro-batch of passes that the first one's begins. */
    private ExpertStep(Device device, ExpertStep first, RemoteExperts remote, int maxTokens) {
        shape = first.shape;
        dtype = first.dtype;
        routing = first.routing;
        loads = first.loads;
        loadsOfLayer = first.loadsOfLayer;
        numbers = first.numbers;
        onHost = null;
        products = null;
        this.remote = remote;
        microBatch = 1;
        tokens = remote.microBatch(microBatch);
        ids = tokens.ids();
        weights = tokens.weights();
        logits = own(device.createBuffer(4L * maxTokens * shape.numExperts()));
        bytes = logits.bytes() + tokens.bytes();
    }

    /**
     * What computes the second micro-batch of a step; the caller closes it before this.
     *
     * @param maxTokens {@link #secondTokens} of the first's
     */
    public ExpertStep second(Device device, int maxTokens) {
        return new ExpertStep(
                device, this, Objects.requireNonNull(remote, "experts are here"), maxTokens);
    }

    /** Tokens of the second micro-batch of a step of at most so many. */
    public static int secondTokens(int maxTokens) {
        return RemoteExperts.secondTokens(maxTokens);
    }

    private Buffer own(Buffer buffer) {
        owned.push(buffer::close);
        return buffer;
    }

    /**
     * Of what a step of so many tokens computes in, before anything is loaded: on the device that
     * routes.
     *
     * @param numLayers those with experts
     */
    public static long bytes(
            Placement placement, ExpertShape shape, DType dtype, int numLayers, int maxTokens) {
        long routed =
                ExpertLoads.bytes(numLayers, shape.numExperts())
                        + 4L * maxTokens * shape.numExperts();
        if (!placement.holdsExperts()) {
            return routed + RemoteTokens.deviceBytes(placement.device(), shape, dtype, maxTokens);
        }
        return placement.expertDevice() != null
                ? routed + HostExperts.deviceBytes(placement, shape, dtype, maxTokens)
                : routed
                        + 8L * maxTokens * shape.topK()
                        + ExpertProducts.bytes(placement.device(), shape, dtype, maxTokens);
    }

    /** The same of {@link #second}. */
    public static long secondBytes(Device device, ExpertShape shape, DType dtype, int maxTokens) {
        return 4L * maxTokens * shape.numExperts()
                + RemoteTokens.deviceBytes(device, shape, dtype, maxTokens);
    }

    /** The same in host memory; 0 where the experts are not there. */
    public static long hostBytes(
            Placement placement, ExpertShape shape, DType dtype, int maxTokens) {
        Device cpu = placement.expertDevice();
        return cpu == null ? 0 : HostExperts.hostBytes(cpu, shape, dtype, maxTokens);
    }

    /** What was made, on the device that routes. */
    public long bytes() {
        return bytes;
    }

    /** Of the next pass: 1, or 2 where experts are on other ranks and that takes less time. */
    public int nextMicroBatches(int numTokens) {
        return remote == null ? 1 : remote.nextMicroBatches(numTokens);
    }

    /**
     * Enqueues: a pass through the layers begins, which other ranks may take part in.
     *
     * @param microBatches of it: 1 or 2
     */
    public void begin(int microBatches, int numTokens, Stream stream) {
        if (remote != null) {
            remote.begin(microBatches, numTokens, stream);
        }
    }

    /** Enqueues: this rank has no step, and takes part in those of others. */
    public void idle(Stream stream) {
        if (remote != null) {
            remote.idle(stream);
        }
    }

    /** How often experts were chosen. */
    public ExpertLoads loads() {
        return loads;
    }

    /**
     * Enqueues: tokens choose their experts, and go there where other ranks have them. x stays as
     * it is until {@link #combine}.
     *
     * @param x [tokens][hidden]
     * @param slotMapping int64[tokens]: negative ones fill up a batch
     * @param positions int32[tokens], in host memory
     */
    public void route(
            Buffer x,
            ExpertLayer layer,
            Buffer slotMapping,
            MemorySegment positions,
            int numTokens,
            DenseGemm gemm,
            Stream stream) {
        gemm.enqueue(
                logits,
                x,
                layer.router(),
                layer.routerBias(),
                numTokens,
                shape.numExperts(),
                shape.hiddenSize(),
                DType.F32,
                dtype,
                stream);
        MoeKernels.route(
                ids,
                weights,
                Objects.requireNonNull(loadsOfLayer.get(layer)),
                logits,
                layer.correction(),
                slotMapping,
                routing.numTokens(numTokens),
                stream);
        if (remote != null) {
            int number = Objects.requireNonNull(numbers.get(layer));
            remote.send(microBatch, x, number, positions, numTokens, stream);
        }
    }

    /**
     * Enqueues, after {@link #route}: out = the weighted sum of each token's experts, and what
     * shared experts add.
     *
     * @param out [tokens][hidden]; may be shared
     * @param x as large: what was routed
     * @param sharedGate float32[tokens]: logits of what shared is multiplied with; null: 1
     */
    public void combine(
            Buffer out,
            Buffer x,
            ExpertLayer layer,
            @Nullable Buffer shared,
            @Nullable Buffer sharedGate,
            int numTokens,
            Stream stream) {
        if (remote != null && tokens != null) {
            remote.receive(microBatch, stream);
            tokens.combine(out, shared, sharedGate, numTokens, stream);
        } else if (onHost != null) {
            onHost.enqueue(out, x, layer, shared, sharedGate, numTokens, stream);
        } else if (products != null) {
            products.enqueue(
                    out, x, ids, weights, layer.held(), shared, sharedGate, numTokens, stream);
        }
    }

    @Override
    public void close() {
        owned.close();
    }
}
