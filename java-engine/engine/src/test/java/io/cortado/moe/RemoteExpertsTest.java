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
import io.cortado.device.MoeActivation;
import io.cortado.device.MoeScores;
import io.cortado.device.Placement;
import io.cortado.device.ResourceStack;
import io.cortado.device.Stream;
import io.cortado.device.WeightFormat;
import io.cortado.device.Weights;
import io.cortado.gang.GangException;
import io.cortado.gang.InProcessGang;
import io.cortado.gang.Transport;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

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

    /** Of a step on a device, with the experts there, or behind a link. */
    private static float[] run(Device device, boolean isOneToken, @Nullable ExpertLink link) {
        try (ResourceStack owner = new ResourceStack();
                DenseGemm gemm = DenseGemm.of(device, true);
                Buffer x = device.createHostBuffer(4L * TOKENS * HIDDEN);
                Buffer out = device.createHostBuffer(4L * TOKENS * HIDDEN);
                Buffer slots = device.createHostBuffer(8L * TOKENS);
                Buffer positions = device.createHostBuffer(4L * TOKENS)) {
            Random random = new Random(1);
            for (int i = 0; i < TOKENS * HIDDEN; i++) {
                float value = (float) random.nextGaussian();
                boolean isCopied = isOneToken && i >= HIDDEN;
                x.host()
                        .setAtIndex(
                                ValueLayout.JAVA_FLOAT,
                                i,
                                isCopied
                                        ? x.host().getAtIndex(ValueLayout.JAVA_FLOAT, i % HIDDEN)
                                        : value);
            }
            for (int t = 0; t < TOKENS; t++) {
                slots.host().setAtIndex(ValueLayout.JAVA_LONG, t, t == PADDING ? -1 : t);
                positions.host().setAtIndex(ValueLayout.JAVA_INT, t, t);
            }
            Weights router = matrix(device, EXPERTS, HIDDEN, 99);
            owner.push(router::close);
            ExpertPlacement all = ExpertPlacement.linear(EXPERTS, 1);
            ExpertMatrices own = link == null ? matrices(device, all, 0, owner) : null;
            ExpertLayer layer = new ExpertLayer(router, null, null, own, null);
            Placement placement =
                    link == null ? Placement.on(device) : Placement.withoutExperts(device);
            try (ExpertStep step =
                            new ExpertStep(
                                    placement, SHAPE, DType.F32, 1, List.of(layer), TOKENS, link);
                    Stream stream = device.createStream()) {
                assertEquals(
                        step.bytes(), ExpertStep.bytes(placement, SHAPE, DType.F32, 1, TOKENS));
                step.begin(stream);
                step.enqueue(
                        out, x, layer, null, null, slots, positions.host(), TOKENS, gemm, stream);
                step.idle(stream); // and once more, with nothing to compute
                stream.synchronize();
                assertNull(link == null ? null : link.failure());
                return out.host().toArray(ValueLayout.JAVA_FLOAT);
            }
        }
    }

    /** A rank with experts: what it throws; null: it has ended as it should. */
    private static Thread worker(
            Transport transport,
            ExpertPlacement placement,
            ExpertShape shape,
            AtomicReference<@Nullable Throwable> fault) {
        ExpertRanks ranks = new ExpertRanks(1, transport.size() - 1);
        return Thread.ofPlatform()
                .start(() -> {
                    try (ExpertLink link =
                                    new ExpertLink(
                                            transport, ranks, List.of(placement), LONG, LONG);
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

    private static float[] spread(ExpertPlacement placement, boolean isOneToken) throws Exception {
        Transport[] transports = InProcessGang.create(1 + placement.numRanks());
        List<Thread> workers = new ArrayList<>();
        AtomicReference<@Nullable Throwable> fault = new AtomicReference<>();
        for (int rank = 1; rank < transports.length; rank++) {
            workers.add(worker(transports[rank], placement, SHAPE, fault));
        }
        float[] out;
        ExpertRanks ranks = new ExpertRanks(1, placement.numRanks());
        ExpertLink link = new ExpertLink(transports[0], ranks, List.of(placement), LONG, LONG);
        try (Device device = Device.open("cpu", 1, "auto")) {
            out = run(device, isOneToken, link);
        }
        for (Thread worker : workers) {
            worker.join();
        }
        link.close();
        assertNull(fault.get());
        return out;
    }

    @Test
    void givesTheBitsOfOneRank() throws Exception {
        for (boolean isOneToken : new boolean[] {false, true}) {
            float[] one;
            try (Device device = Device.open("cpu", 1, "auto")) {
                one = run(device, isOneToken, null);
            }
            for (ExpertPlacement placement :
                    List.of(
                            ExpertPlacement.linear(EXPERTS, 1),
                            ExpertPlacement.linear(EXPERTS, 3),
                            ExpertPlacement.linear(EXPERTS, 7), // a rank has none
                            new ExpertPlacement(
                                    EXPERTS, new int[][] {{0, 1, 2, 3, 4, 5}, {}, {5, 0, 3}}))) {
                assertArrayEquals(one, spread(placement, isOneToken), placement.toString());
            }
        }
    }

    @Test
    void ranksThatDisagreeDoNotBegin() throws Exception {
        ExpertPlacement placement = ExpertPlacement.linear(EXPERTS, 1);
        ExpertShape other = ExpertShape.of(SHAPE.routing(), HIDDEN, 2 * INNER, MoeActivation.SILU);
        Transport[] transports = InProcessGang.create(2);
        AtomicReference<@Nullable Throwable> fault = new AtomicReference<>();
        Thread worker = worker(transports[1], placement, other, fault);
        try (ExpertLink link =
                        new ExpertLink(
                                transports[0],
                                new ExpertRanks(1, 1),
                                List.of(placement),
                                LONG,
                                LONG);
                Device device = Device.open("cpu", 1, "auto")) {
            GangException e = assertThrows(GangException.class, () -> run(device, false, link));
            assertEquals(GangException.Kind.MISMATCH, e.kind());
            assertTrue(String.valueOf(e.getMessage()).contains("inner size"), e.getMessage());
            worker.join();
            Throwable theirs = Objects.requireNonNull(fault.get());
            assertTrue(theirs instanceof GangException, theirs.toString());
        }
    }

    @Test
    void tellsOfARankThatIsGone() throws Exception {
        ExpertPlacement placement = ExpertPlacement.linear(EXPERTS, 1);
        Transport[] transports = InProcessGang.create(2);
        ExpertRanks ranks = new ExpertRanks(1, 1);
        Thread worker =
                Thread.ofPlatform()
                        .start(() -> {
                            ExpertHello hello =
                                    new ExpertHello(ranks, SHAPE, DType.F32, List.of(placement), 0);
                            hello.exchange(transports[1], LONG);
                            transports[1].close();
                        });
        try (ExpertLink link =
                        new ExpertLink(transports[0], ranks, List.of(placement), LONG, LONG);
                Device device = Device.open("cpu", 1, "auto")) {
            assertThrows(AssertionError.class, () -> run(device, false, link));
            worker.join();
            assertNotNull(link.failure());
        }
    }
}
