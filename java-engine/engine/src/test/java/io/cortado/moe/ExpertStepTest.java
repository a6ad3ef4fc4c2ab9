package io.cortado.moe;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

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
import io.cortado.engine.Devices;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicLongArray;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class ExpertStepTest {
    private static final int HIDDEN = 8;
    private static final int INNER = 6;
    private static final int EXPERTS = 5;
    private static final int TOP_K = 2;
    private static final int LAYERS = 2;
    private static final int TOKENS = 13;

    /** Fills up the batch. */
    private static final int PADDING = 4;

    private static final ExpertShape SHAPE =
            ExpertShape.of(
                    Routing.of(EXPERTS, TOP_K, MoeScores.SOFTMAX, true),
                    HIDDEN,
                    INNER,
                    MoeActivation.SILU);

    /** What all layers together gave, and what was counted. */
    private record Outcome(float[] out, long[] loads) {}

    /** A token whose input is the c-th unit vector chooses the experts c and c + 1, modulo 5. */
    private static float[] router() {
        float[] rows = new float[EXPERTS * HIDDEN];
        for (int c = 0; c < HIDDEN; c++) {
            rows[c % EXPERTS * HIDDEN + c] = 4;
            rows[(c + 1) % EXPERTS * HIDDEN + c] = 3;
        }
        return rows;
    }

    private static Weights matrix(Device device, int rows, int cols, float[] values) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment data = arena.allocateFrom(ValueLayout.JAVA_FLOAT, values);
            return device.createWeights(
                    List.of(new Weights.Part(data, rows, WeightFormat.F32)),
                    cols,
                    DType.F32,
                    Weights.Use.LINEAR);
        }
    }

    private static Weights matrix(Device device, int rows, int cols, Random random) {
        float[] values = new float[rows * cols];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return matrix(device, rows, cols, values);
    }

    private static ExpertLayer layer(Placement placement, int seed, ResourceStack owner) {
        Random random = new Random(seed);
        List<ExpertWeights.@Nullable Expert> experts = new ArrayList<>();
        Device device = placement.ofExperts();
        for (int e = 0; e < EXPERTS; e++) {
            experts.add(
                    new ExpertWeights.Expert(
                            matrix(device, INNER, HIDDEN, random),
                            matrix(device, INNER, HIDDEN, random),
                            matrix(device, HIDDEN, INNER, random)));
        }
        ExpertWeights all = device.createExperts(experts);
        owner.push(all::close);
        Weights router = matrix(placement.device(), EXPERTS, HIDDEN, router());
        owner.push(router::close);
        ExpertMatrices matrices = new ExpertMatrices(all, null, null, null, null);
        return new ExpertLayer(router, null, null, matrices, null);
    }

    /** Token t is the unit vector t modulo 8; each layer reads it and has outputs of its own. */
    private static Outcome run(Placement placement) {
        Device device = placement.device();
        try (ResourceStack owner = new ResourceStack();
                DenseGemm gemm = DenseGemm.of(device, true);
                Buffer x = device.createHostBuffer(4L * TOKENS * HIDDEN);
                Buffer out = device.createHostBuffer(4L * TOKENS * HIDDEN);
                Buffer slots = device.createHostBuffer(8L * TOKENS)) {
            List<ExpertLayer> layers = new ArrayList<>();
            for (int i = 0; i < LAYERS; i++) {
                layers.add(layer(placement, i, owner));
            }
            for (int t = 0; t < TOKENS; t++) {
                x.host().setAtIndex(ValueLayout.JAVA_FLOAT, t * HIDDEN + t % HIDDEN, 1);
                slots.host().setAtIndex(ValueLayout.JAVA_LONG, t, t == PADDING ? -1 : t);
            }
            float[] all = new float[0];
            AtomicLongArray loads = new AtomicLongArray(LAYERS * EXPERTS);
            try (ExpertStep step =
                            new ExpertStep(
                                    placement, SHAPE, DType.F32, LAYERS, layers, TOKENS, null);
                    Stream stream = device.createStream()) {
                assertEquals(
                        step.bytes(),
                        ExpertStep.bytes(placement, SHAPE, DType.F32, LAYERS, TOKENS));
                for (int turn = 0; turn < 3; turn++) { // more than the events of two steps
                    for (ExpertLayer layer : layers) {
                        step.route(x, layer, slots, slots.host(), TOKENS, gemm, stream);
                        step.combine(out, x, layer, null, null, TOKENS, stream);
                        stream.synchronize();
                        float[] one = out.host().toArray(ValueLayout.JAVA_FLOAT);
                        int before = all.length;
                        all = Arrays.copyOf(all, before + one.length);
                        System.arraycopy(one, 0, all, before, one.length);
                    }
                }
                step.loads().download(stream);
                stream.synchronize();
                step.loads().read(loads);
            }
            long[] counted = new long[loads.length()];
            Arrays.setAll(counted, loads::get);
            return new Outcome(all, counted);
        }
    }

    @ParameterizedTest
    @MethodSource("io.cortado.engine.Devices#all")
    void countsTheExpertsThatTokensHaveChosen(String name) {
        Devices.assumePresent(name);
        long[] expected = new long[EXPERTS];
        for (int t = 0; t < TOKENS; t++) {
            if (t != PADDING) {
                expected[t % HIDDEN % EXPERTS] += 3;
                expected[(t % HIDDEN + 1) % EXPERTS] += 3;
            }
        }
        try (Device device = Device.open(name, 2, "auto")) {
            long[] loads = run(Placement.on(device)).loads;
            for (int i = 0; i < LAYERS; i++) {
                assertArrayEquals(
                        expected, Arrays.copyOfRange(loads, i * EXPERTS, (i + 1) * EXPERTS));
            }
        }
    }

    /** All is on CPUs here, of the same kernels: what remains is the way there and back. */
    @Test
    void expertsOnAnotherDeviceGiveTheSameBits() {
        try (Device device = Device.open("cpu", 2, "auto");
                Device other = Device.open("cpu", 1, "auto")) {
            Outcome one = run(Placement.on(device));
            Outcome two = run(Placement.split(device, other));
            assertArrayEquals(one.loads, two.loads);
            for (int i = 0; i < one.out.length; i++) {
                assertEquals(
                        Float.floatToRawIntBits(one.out[i]),
                        Float.floatToRawIntBits(two.out[i]),
                        "element " + i);
            }
        }
    }

    @Test
    void expertsOnTheCpuServeAnotherDevice() {
        String simt = Devices.all().getLast();
        Devices.assumePresent(simt);
        try (Device device = Device.open(simt, 2, "auto");
                Device cpu = Device.open("cpu", 2, "auto")) {
            Outcome whole = run(Placement.on(device));
            Outcome split = run(Placement.split(device, cpu));
            assertArrayEquals(whole.loads, split.loads);
            assertArrayEquals(whole.out, split.out, 1e-5f);
        }
    }
}
