package io.cortado.moe;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.device.Buffer;
import io.cortado.device.DType;
import io.cortado.device.DenseGemm;
import io.cortado.device.Device;
import io.cortado.device.ExpertWeights;
import io.cortado.device.HostQueue;
import io.cortado.device.MoeActivation;
import io.cortado.device.MoeScores;
import io.cortado.device.Placement;
import io.cortado.device.ResourceStack;
import io.cortado.device.Stream;
import io.cortado.device.WeightFormat;
import io.cortado.device.Weights;
import io.cortado.gang.ForwardingTransport;
import io.cortado.gang.GangException;
import io.cortado.gang.InProcessGang;
import io.cortado.gang.Parts;
import io.cortado.gang.Transport;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Experts on other ranks against the same on one: which tokens they are does not matter. */
class RemoteExpertsTest {
    private static final int EXPERTS = 6;
    private static final int HIDDEN = 64;
    private static final int INNER = 48;
    private static final int TOKENS = 37;
    private static final int PADDING = 5;
    private static final long LONG = 60_000_000_000L;
    private static final ExpertShape SHAPE =
            ExpertShape.of(
                    Routing.of(EXPERTS, 2, MoeScores.SOFTMAX, true),
                    HIDDEN,
                    INNER,
                    MoeActivation.SILU);

    /** What a rank holds, for the test's one layer; it never changes. */
    private record Fixed(@Nullable ExpertMatrices matrices) implements ExpertTable {
        @Override
        public @Nullable ExpertMatrices layer(int layer) {
            return matrices;
        }

        @Override
        public List<ExpertMatrices> layers() {
            return matrices == null ? List.of() : List.of(matrices);
        }

        @Override
        public void prepare(
                long number,
                List<ExpertPlacement> placements,
                int expertRank,
                LongConsumer ready,
                Consumer<Throwable> failed) {
            throw new AssertionError("nothing was proposed");
        }

        @Override
        public void enter(long number) {
            throw new AssertionError("nothing was proposed");
        }
    }

    private static Weights matrix(Device device, int rows, int cols, long seed) {
        Random random = new Random(seed);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment values = arena.allocate(4L * rows * cols);
            for (int i = 0; i < rows * cols; i++) {
                values.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextGaussian());
            }
            return device.createWeights(
                    List.of(new Weights.Part(values, rows, WeightFormat.F32)),
                    cols,
                    DType.F32,
                    Weights.Use.LINEAR);
        }
    }

    /** Those experts that the rank has; null: it has none. */
    private static @Nullable ExpertMatrices matrices(
            Device device, ExpertPlacement placement, int rank, ResourceStack owner) {
        List<ExpertWeights.@Nullable Expert> experts = new ArrayList<>();
        for (int e = 0; e < EXPERTS; e++) {
            experts.add(
                    !placement.holds(rank, e)
                            ? null
                            : new ExpertWeights.Expert(
                                    matrix(device, INNER, HIDDEN, 3L * e),
                                    matrix(device, INNER, HIDDEN, 3L * e + 1),
                                    matrix(device, HIDDEN, INNER, 3L * e + 2)));
        }
        if (placement.expertsOf(rank).length == 0) {
            return null;
        }
        ExpertWeights weights = device.createExperts(experts);
        owner.push(weights::close);
        return new ExpertMatrices(weights, null, null, null, null);
    }

    /**
     * Of a step on a device, with the experts there, or behind a link, in so many micro-batches.
     */
    private static float[] run(
            Device device, boolean isOneToken, @Nullable ExpertLink link, int microBatches) {
        return run(device, isOneToken, link, microBatches, () -> {});
    }

    /**
     * @param onRouted is called by the stream behind the choices of all tokens
     */
    private static float[] run(
            Device device,
            boolean isOneToken,
            @Nullable ExpertLink link,
            int microBatches,
            Runnable onRouted) {
        try (ResourceStack owner = new ResourceStack();
                DenseGemm gemm = DenseGemm.of(device, true)) {
            Weights router = matrix(device, EXPERTS, HIDDEN, 99);
            owner.push(router::close);
            ExpertPlacement all = ExpertPlacement.linear(EXPERTS, 1);
            ExpertMatrices own = link == null ? matrices(device, all, 0, owner) : null;
            ExpertLayer layer = new ExpertLayer(router, null, null, own, null);
            Placement placement =
                    link == null ? Placement.on(device) : Placement.withoutExperts(device);
            ExpertStep first =
                    new ExpertStep(placement, SHAPE, DType.F32, 1, List.of(layer), TOKENS, link);
            owner.push(first::close);
            assertEquals(first.bytes(), ExpertStep.bytes(placement, SHAPE, DType.F32, 1, TOKENS));
            List<Part> parts = new ArrayList<>();
            if (microBatches == 1) {
                parts.add(new Part(device, first, 0, TOKENS, isOneToken));
            } else {
                int most = ExpertStep.secondTokens(TOKENS);
                ExpertStep second = first.second(device, most);
                owner.push(second::close);
                assertEquals(
                        second.bytes(), ExpertStep.secondBytes(device, SHAPE, DType.F32, most));
                parts.add(new Part(device, first, 0, TOKENS - most, isOneToken));
                parts.add(new Part(device, second, TOKENS - most, most, isOneToken));
            }
            parts.forEach(part -> owner.push(part::close));
            HostQueue<Object> routed = new HostQueue<>(2, Object::new, _ -> onRouted.run());
            owner.push(routed::close);
            Stream stream = device.createStream();
            owner.push(stream::close);
            for (int pass = 0; pass < 2; pass++) {
                first.begin(microBatches, TOKENS, stream);
                parts.forEach(part -> part.route(layer, gemm, stream));
                routed.next();
                routed.enqueue(stream);
                parts.forEach(part -> part.combine(layer, stream));
                first.idle(stream); // and once more, with nothing to compute
            }
            stream.synchronize();
            assertNull(link == null ? null : link.failure());
            float[] out = new float[TOKENS * HIDDEN];
            parts.forEach(part -> part.read(out));
            return out;
        }
    }

    /** A micro-batch: tokens of the test from one on. */
    private record Part(
            ExpertStep step, int start, int count, Buffer x, Buffer out, Buffer slots, Buffer at)
            implements AutoCloseable {
        Part(Device device, ExpertStep step, int start, int count, boolean isOneToken) {
            this(
                    step,
                    start,
                    count,
                    device.createHostBuffer(4L * count * HIDDEN),
                    device.createHostBuffer(4L * count * HIDDEN),
                    device.createHostBuffer(8L * count),
                    device.createHostBuffer(4L * count));
            Random random = new Random(1);
            float[] all = new float[TOKENS * HIDDEN];
            for (int i = 0; i < all.length; i++) {
                float value = (float) random.nextGaussian();
                all[i] = isOneToken && i >= HIDDEN ? all[i % HIDDEN] : value;
            }
            MemorySegment.copy(
                    all, start * HIDDEN, x.host(), ValueLayout.JAVA_FLOAT, 0, count * HIDDEN);
            for (int i = 0; i < count; i++) {
                int t = start + i;
                slots.host().setAtIndex(ValueLayout.JAVA_LONG, i, t == PADDING ? -1 : t);
                at.host().setAtIndex(ValueLayout.JAVA_INT, i, t);
            }
        }

        void route(ExpertLayer layer, DenseGemm gemm, Stream stream) {
            step.route(x, layer, slots, at.host(), count, gemm, stream);
        }

        void combine(ExpertLayer layer, Stream stream) {
            step.combine(out, x, layer, null, null, count, stream);
        }

        void read(float[] all) {
            MemorySegment.copy(
                    out.host(), ValueLayout.JAVA_FLOAT, 0, all, start * HIDDEN, count * HIDDEN);
        }

        @Override
        public void close() {
            x.close();
            out.close();
            slots.close();
            at.close();
        }
    }

    /** A rank with experts: what it throws; null: it has ended as it should. */
    private static Thread worker(
            Transport transport,
            ExpertPlacement placement,
            ExpertShape shape,
            int microBatches,
            AtomicReference<@Nullable Throwable> fault) {
        int experts = placement.numRanks();
        ExpertRanks ranks = new ExpertRanks(transport.size() - experts, experts);
        return Thread.ofPlatform()
                .start(() -> {
                    try (ExpertLink link = link(transport, ranks, placement, microBatches);
                            Device device = Device.open("cpu", 1, "auto");
                            ResourceStack owner = new ResourceStack()) {
                        int rank = ranks.expertRank(transport.rank());
                        Fixed table = new Fixed(matrices(device, placement, rank, owner));
                        try (ExpertWorker worker =
                                new ExpertWorker(device, link, shape, DType.F32, table)) {
                            worker.run();
                        }
                    } catch (RuntimeException | Error e) {
                        fault.set(e);
                    }
                });
    }

    private static ExpertLink link(
            Transport transport, ExpertRanks ranks, ExpertPlacement placement, int microBatches) {
        MicroBatching microBatching = microBatches == 1 ? MicroBatching.ONE : MicroBatching.TWO;
        return new ExpertLink(transport, ranks, List.of(placement), microBatching, LONG, LONG);
    }

    /**
     * What each rank with attention gets; the ranks have a step each at the same time.
     *
     * @param most micro-batches that the gang allows
     * @param microBatches of the steps of each rank with attention
     */
    private static List<float[]> spread(
            ExpertPlacement placement, boolean isOneToken, int most, int... microBatches)
            throws Exception {
        ExpertRanks ranks = new ExpertRanks(microBatches.length, placement.numRanks());
        Transport[] transports = InProcessGang.create(ranks.size());
        List<Thread> threads = new ArrayList<>();
        AtomicReference<@Nullable Throwable> fault = new AtomicReference<>();
        for (int rank = ranks.attention(); rank < ranks.size(); rank++) {
            threads.add(worker(transports[rank], placement, SHAPE, most, fault));
        }
        List<ExpertLink> links = new ArrayList<>();
        float[][] outs = new float[microBatches.length][];
        for (int i = 0; i < outs.length; i++) {
            ExpertLink link = link(transports[i], ranks, placement, most);
            links.add(link);
            int rank = i;
            threads.add(
                    Thread.ofPlatform()
                            .start(() -> {
                                try (Device device = Device.open("cpu", 1, "auto")) {
                                    outs[rank] = run(device, isOneToken, link, microBatches[rank]);
                                } catch (RuntimeException | Error e) {
                                    fault.set(e);
                                    link.abort(e.toString());
                                }
                            }));
        }
        for (Thread thread : threads) {
            thread.join();
        }
        links.forEach(ExpertLink::close);
        assertNull(fault.get());
        return List.of(outs);
    }

    /** 2 of 2: steps of two micro-batches; 1 of 2: of one, where two are allowed. */
    @ParameterizedTest
    @CsvSource({"1, 1", "2, 1", "2, 2"})
    void givesTheBitsOfOneRank(int most, int microBatches) throws Exception {
        for (boolean isOneToken : new boolean[] {false, true}) {
            float[] one;
            try (Device device = Device.open("cpu", 1, "auto")) {
                one = run(device, isOneToken, null, 1);
            }
            for (ExpertPlacement placement :
                    List.of(
                            ExpertPlacement.linear(EXPERTS, 1),
                            ExpertPlacement.linear(EXPERTS, 3),
                            ExpertPlacement.linear(EXPERTS, 7), // a rank has none
                            new ExpertPlacement(
                                    EXPERTS, new int[][] {{0, 1, 2, 3, 4, 5}, {}, {5, 0, 3}}))) {
                List<float[]> outs = spread(placement, isOneToken, most, microBatches);
                assertArrayEquals(one, outs.getFirst(), placement.toString());
            }
        }
    }

    /** A rank takes part in the second micro-batch of others where it has none itself. */
    @Test
    void ranksMayHaveStepsOfOneAndOfTwo() throws Exception {
        float[] one;
        try (Device device = Device.open("cpu", 1, "auto")) {
            one = run(device, false, null, 1);
        }
        for (float[] out : spread(ExpertPlacement.linear(EXPERTS, 2), false, 2, 1, 2)) {
            assertArrayEquals(one, out);
        }
    }

    /** Results that are held back until attention has computed the other micro-batch as well. */
    private static final class Held extends ForwardingTransport {
        private final CountDownLatch computed;

        Held(Transport ranks, CountDownLatch computed) {
            super(ranks);
            this.computed = computed;
        }

        @Override
        public void exchange(int kind, Parts send, Parts receive, long deadlineNanos) {
            if (kind == ExpertLink.RESULT) {
                try {
                    assertTrue(computed.await(20, TimeUnit.SECONDS), "it waits for the results");
                } catch (InterruptedException e) {
                    throw new AssertionError(e);
                }
            }
            super.exchange(kind, send, receive, deadlineNanos);
        }
    }

    @Test
    void oneIsComputedWhileTheOtherIsWithExperts() throws Exception {
        float[] one;
        try (Device device = Device.open("cpu", 1, "auto")) {
            one = run(device, false, null, 1);
        }
        ExpertPlacement placement = ExpertPlacement.linear(EXPERTS, 1);
        Transport[] transports = InProcessGang.create(2);
        CountDownLatch computed = new CountDownLatch(1);
        AtomicReference<@Nullable Throwable> fault = new AtomicReference<>();
        Thread worker = worker(new Held(transports[1], computed), placement, SHAPE, 2, fault);
        try (ExpertLink link = link(transports[0], new ExpertRanks(1, 1), placement, 2);
                Device device = Device.open("cpu", 1, "auto")) {
            assertArrayEquals(one, run(device, false, link, 2, computed::countDown));
        }
        worker.join();
        assertNull(fault.get());
    }

    @Test
    void ranksThatDisagreeDoNotBegin() throws Exception {
        ExpertShape other = ExpertShape.of(SHAPE.routing(), HIDDEN, 2 * INNER, MoeActivation.SILU);
        refused(other, 1, "inner size");
        refused(SHAPE, 2, "micro-batches");
    }

    /** Rank 1 is of another mind than rank 0, which has one micro-batch. */
    private static void refused(ExpertShape shape, int microBatches, String what) throws Exception {
        ExpertPlacement placement = ExpertPlacement.linear(EXPERTS, 1);
        Transport[] transports = InProcessGang.create(2);
        AtomicReference<@Nullable Throwable> fault = new AtomicReference<>();
        Thread worker = worker(transports[1], placement, shape, microBatches, fault);
        try (ExpertLink link = link(transports[0], new ExpertRanks(1, 1), placement, 1);
                Device device = Device.open("cpu", 1, "auto")) {
            GangException e = assertThrows(GangException.class, () -> run(device, false, link, 1));
            assertEquals(GangException.Kind.MISMATCH, e.kind());
            assertTrue(String.valueOf(e.getMessage()).contains(what), e.getMessage());
            worker.join();
            Throwable theirs = Objects.requireNonNull(fault.get());
            assertTrue(theirs instanceof GangException, theirs.toString());
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void tellsOfARankThatIsGone(int microBatches) throws Exception {
        ExpertPlacement placement = ExpertPlacement.linear(EXPERTS, 1);
        Transport[] transports = InProcessGang.create(2);
        ExpertRanks ranks = new ExpertRanks(1, 1);
        Thread worker =
                Thread.ofPlatform()
                        .start(() -> {
                            ExpertLink own = link(transports[1], ranks, placement, microBatches);
                            new ExpertHello(own, SHAPE, DType.F32, 0).exchange(transports[1], LONG);
                            own.tick(ExpertLink.IDLE, 0);
                            own.close();
                        });
        try (ExpertLink link = link(transports[0], ranks, placement, microBatches);
                Device device = Device.open("cpu", 1, "auto")) {
            assertThrows(AssertionError.class, () -> run(device, false, link, microBatches));
            worker.join();
            assertNotNull(link.failure());
        }
    }
}
