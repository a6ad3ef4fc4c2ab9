package io.cortado.device;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.engine.Devices;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MoeKernelsTest {
    private static final int HIDDEN = 2;
    private static final int TOP_K = 2;

    /** Expert e has gate = up = identity and down = (e + 1) times it. */
    private static ExpertWeights.Expert expert(Device device, int e) {
        return new ExpertWeights.Expert(
                diagonal(device, 1), diagonal(device, 1), diagonal(device, e + 1));
    }

    private static Weights diagonal(Device device, float value) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment data = arena.allocateFrom(ValueLayout.JAVA_FLOAT, value, 0, 0, value);
            return device.createWeights(
                    List.of(new Weights.Part(data, HIDDEN, WeightFormat.F32)),
                    HIDDEN,
                    DType.F32,
                    Weights.Use.LINEAR);
        }
    }

    private static void fill(Buffer buffer, float... values) {
        MemorySegment.copy(MemorySegment.ofArray(values), 0, buffer.host(), 0, 4L * values.length);
    }

    private static float silu(float x) {
        return (float) (x / (1 + Math.exp(-x)));
    }

    @ParameterizedTest
    @ValueSource(strings = {"cpu", "simt:0"})
    void routesPlansComputesAndCombines(String name) {
        Devices.assumePresent(name);
        try (Device device = Device.open(name, 2, "auto");
                Stream stream = device.createStream();
                ExpertWeights experts =
                        device.createExperts(
                                Arrays.<ExpertWeights.@Nullable Expert>asList(
                                        expert(device, 0), expert(device, 1), expert(device, 2)));
                Buffer logits = device.createHostBuffer(64);
                Buffer ids = device.createHostBuffer(64);
                Buffer weights = device.createHostBuffer(64);
                Buffer counts = device.createHostBuffer(64);
                Buffer plan = device.createHostBuffer(MoeKernels.planBytes(device, 2, TOP_K, 3));
                Buffer x = device.createHostBuffer(64);
                Buffer y = device.createHostBuffer(64);
                Buffer out = device.createHostBuffer(64)) {
            MoeParams params =
                    new MoeParams(device)
                            .numTokens(2)
                            .strides(HIDDEN, HIDDEN)
                            .topK(TOP_K)
                            .dtypes(DType.F32, DType.F32)
                            .activation(MoeActivation.SILU);
            fill(logits, 0, 5, 5, 1, -1, 0);
            fill(x, 1, 2, 3, -4);
            try (Buffer workspace = device.createBuffer(experts.workspaceBytes(params))) {
                MoeKernels.route(
                        ids,
                        weights,
                        counts,
                        logits,
                        null,
                        null,
                        new MoeRouteParams(device)
                                .numTokens(2)
                                .logitsStride(3)
                                .experts(3, TOP_K)
                                .scores(MoeScores.SOFTMAX)
                                .weights(true, 4),
                        stream);
                MoeKernels.plan(plan, ids, 2, TOP_K, 3, stream);
                MoeKernels.experts(
                        y, x, plan, experts, null, null, null, workspace, params, stream);
                MoeKernels.combine(
                        out,
                        y,
                        ids,
                        weights,
                        null,
                        null,
                        null,
                        new MoeCombineParams(device)
                                .numTokens(2)
                                .cols(HIDDEN)
                                .strides(HIDDEN, HIDDEN, HIDDEN)
                                .experts(3, TOP_K)
                                .dtypes(DType.F32, DType.F32, DType.F32),
                        stream);
                stream.synchronize();
            }
            assertArrayEquals(
                    new int[] {1, 2, 0, 2},
                    ids.host().asSlice(0, 16).toArray(ValueLayout.JAVA_INT));
            assertArrayEquals(
                    new long[] {1, 1, 2},
                    counts.host().asSlice(0, 24).toArray(ValueLayout.JAVA_LONG));
            float first = (float) (4 / (1 + Math.exp(-1)));
            float[] scales = {2 * 2 + 2 * 3, first * 1 + (4 - first) * 3};
            float[] xs = {1, 2, 3, -4};
            for (int i = 0; i < 4; i++) {
                float expected = scales[i / HIDDEN] * silu(xs[i]) * xs[i];
                assertEquals(
                        expected,
                        out.host().getAtIndex(ValueLayout.JAVA_FLOAT, i),
                        Math.abs(expected) * 1e-5f,
                        "element " + i);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"cpu", "simt:0"})
    void ownsItsMatrices(String name) {
        Devices.assumePresent(name);
        try (Device device = Device.open(name, 1, "auto")) {
            ExpertWeights.Expert one = expert(device, 0);
            ExpertWeights experts =
                    device.createExperts(Arrays.<ExpertWeights.@Nullable Expert>asList(null, one));
            assertEquals(2, experts.numExperts());
            assertFalse(experts.isPresent(0));
            assertTrue(experts.isPresent(1));
            assertEquals(0, experts.bytes(0));
            assertEquals(3 * one.gate().bytes(), experts.bytes(1));
            experts.close();
            assertTrue(one.down().isClosed());
            assertThrows(
                    NativeException.class,
                    () ->
                            device.createExperts(
                                    Arrays.<ExpertWeights.@Nullable Expert>asList(null, null)));
        }
    }
}
