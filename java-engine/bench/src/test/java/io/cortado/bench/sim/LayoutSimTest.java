package io.cortado.bench.sim;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.EngineOptions;
import io.cortado.api.EngineOptions.SchedulingPolicy;
import io.cortado.bench.BenchException;
import io.cortado.bench.traces.SyntheticTrace;
import io.cortado.bench.traces.Trace;
import io.cortado.layout.Layout;
import io.cortado.layout.LayoutCost;
import io.cortado.layout.LayoutModel;
import io.cortado.layout.LayoutSearch;
import io.cortado.layout.RankDevice;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LayoutSimTest {
    private static final LayoutCost.Balance EVEN = (_, _) -> 1;
    private static final Trace TRACE = SyntheticTrace.make(400, 20, 3);

    @TempDir Path folder;

    /** A tenth of an H100. */
    private static RankDevice device(double memoryRate) {
        return new RankDevice(6e13, 6e13, memoryRate, 8e9, 1e18, 1e18, 0, 0, 8);
    }

    /** Tokens choose so many of 8 experts of 12 million parameters; 32 layers, no vocabulary. */
    private static LayoutModel model(int chosen) {
        return new LayoutModel(
                "made", 32, 0, 2048, 0, 16e6, 16_384, 2048, 8, 8, chosen, 2048, 0, 0, 2, 2, false);
    }

    private static SimSetup setup() {
        EngineOptions options = EngineOptions.defaults().maxNumSeqs(64).maxNumBatchedTokens(512);
        return new SimSetup(
                        options,
                        Map.of(),
                        1,
                        SimSetup.RouterKind.LEAST_LOADED,
                        2000,
                        0,
                        2000,
                        50,
                        0)
                .policy(SchedulingPolicy.FCFS);
    }

    private static Outcomes run(LayoutCost cost, Layout layout) {
        return Fleet.run(TRACE, setup(), new GangCost(cost, List.of(layout), true));
    }

    private static void assertSame(Outcomes expected, Outcomes actual, double millis) {
        assertArrayEquals(expected.ttftMs(), actual.ttftMs(), millis);
        assertArrayEquals(expected.e2eMs(), actual.e2eMs(), millis);
        assertEquals(expected.steps(), actual.steps());
    }

    @Test
    void oneRankThatReadsAllExpertsIsThePlainSimulation() throws IOException {
        // All tokens choose all experts: one matrix could be all of them.
        double parameters = 32 * (16e6 + 8 * 3.0 * 2048 * 2048);
        Path file = folder.resolve("cost");
        Files.writeString(
                file,
                """
                parameters=%s
                bytes_per_parameter=2
                layers=32
                kv_bytes_per_token=%d
                attention_flops_per_pair=%d
                flops_per_s=6e13
                bytes_per_s=2.7e11
                step_us=1e-9
                """
                        .formatted(parameters, 32 * 2048, 32 * 16_384));
        Outcomes plain = Fleet.run(TRACE, setup(), DeviceCost.of(List.of(file.toString()), 1));
        LayoutCost cost = new LayoutCost(device(2.7e11), model(8), EVEN, 0);
        assertSame(plain, run(cost, new Layout.Spread(1, 1)), 1e-3);
        assertSame(plain, run(cost, new Layout.Tensor(1)), 1e-3);
    }

    @Test
    void expertsSpreadWithoutCostOrImbalanceGiveEachRankTheTimesOfOneAlone() {
        // Where reading is free, a rank of n computes for a n-th of the tokens.
        LayoutCost cost = new LayoutCost(device(1e18), model(2), EVEN, 0);
        Outcomes alone = run(cost, new Layout.Spread(1, 1));
        assertSame(alone, run(cost, new Layout.Spread(4, 1)), 1e-3);
        assertSame(alone, run(cost, new Layout.Spread(8, 2)), 1e-3);
    }

    @Test
    void exchangesAndImbalanceOnlyTakeTime() {
        RankDevice free = device(2.7e11);
        double last = 0;
        for (double micros : new double[] {0, 20, 200}) {
            LayoutCost cost = new LayoutCost(free.linkSeconds(micros / 1e6), model(2), EVEN, 0);
            double now = mean(run(cost, new Layout.Spread(4, 1)).e2eMs());
            assertTrue(now > last, micros + " us");
            last = now;
        }
        LayoutCost even = new LayoutCost(device(1e18), model(2), EVEN, 0);
        LayoutCost uneven = new LayoutCost(device(1e18), model(2), (_, _) -> 0.5, 0);
        Layout apart = new Layout.Apart(2, 2, 2);
        assertTrue(mean(run(uneven, apart).e2eMs()) > mean(run(even, apart).e2eMs()));
    }

    private static double mean(double[] values) {
        return Arrays.stream(values).average().orElseThrow();
    }

    @Test
    void promptsFromElsewhereTakeNoStepTime() {
        LayoutCost cost = new LayoutCost(device(2.7e11), model(2), EVEN, 0);
        Layout layout = new Layout.Spread(2, 1);
        double here = mean(run(cost, layout).ttftMs());
        GangCost steps = new GangCost(cost, List.of(layout), false);
        Outcomes elsewhere = Fleet.run(TRACE, setup(), steps);
        assertTrue(mean(elsewhere.ttftMs()) < here);
        assertEquals(TRACE.size(), elsewhere.ended());
    }

    @Test
    void theHighestRateKeepsItsTargetsAndALittleMoreDoesNot() {
        LayoutCost cost = new LayoutCost(device(2.7e11), model(2), EVEN, 0);
        LayoutSim sim = new LayoutSim(TRACE, setup(), cost, true);
        List<Layout> layout = List.of(new Layout.Spread(8, 1));
        LayoutSim.Outcome best = Objects.requireNonNull(sim.fastest(layout, 0.9));
        assertTrue(best.good() >= 0.9);
        LayoutSim.Outcome more = Objects.requireNonNull(sim.at(layout, 1.5 * best.scale()));
        assertTrue(more.good() < 0.9, "good=" + more.good());
        assertEquals(8 * best.requests().steadyTokensPerSecond() / 8, best.tokensPerDevice());
    }

    @Test
    void aLayoutWithoutRoomForABlockIsNone() {
        // 7.5 GB of weights: one rank of 7 GB does not hold them, two do.
        RankDevice small = new RankDevice(6e13, 6e13, 2.7e11, 7e9, 1e18, 1e18, 0, 0, 8);
        LayoutSim sim =
                new LayoutSim(TRACE, setup(), new LayoutCost(small, model(2), EVEN, 0), true);
        assertNull(sim.at(List.of(new Layout.Tensor(1)), 1));
        assertNull(sim.fastest(List.of(new Layout.Spread(1, 1)), 0.9));
        assertTrue(Objects.requireNonNull(sim.at(List.of(new Layout.Tensor(2)), 1)).good() >= 0);
    }

    @Test
    void balanceComesFromTheBalancerAndFallsWithSkewAndFewTokens() {
        LayoutModel model = MoeShapes.named("qwen3-30b-a3b");
        ExpertSkew even = new ExpertSkew(model, 0, 0, 1);
        ExpertSkew skewed = new ExpertSkew(model, 2, 0, 1);
        assertTrue(even.of(16_384, 32) > 0.85 && even.of(16_384, 32) <= 1);
        assertTrue(skewed.of(16_384, 32) < 0.5);
        assertTrue(even.of(16, 8) < even.of(1024, 8));
        assertTrue(new ExpertSkew(model, 2, 1, 1).of(16_384, 32) > skewed.of(16_384, 32));
        assertEquals(skewed.of(100, 8), new ExpertSkew(model, 2, 0, 1).of(100, 8));
        double between = even.of(1536, 8);
        assertEquals((even.of(1024, 8) + even.of(2048, 8)) / 2, between, 1e-12);
    }

    @Test
    void namesOfLayoutsAreRead() {
        LayoutModel model = MoeShapes.named("mixtral-8x22b");
        LayoutSearch search =
                new LayoutSearch(
                        RankDevice.H100,
                        model,
                        new LayoutCost(RankDevice.H100, model, EVEN, 0),
                        new LayoutSearch.Limits(1000, 0.05));
        assertEquals(List.of(new Layout.Tensor(4)), LayoutText.read("tp:4", search));
        assertEquals(List.of(new Layout.Apart(6, 2, 3)), LayoutText.read("apart:6:2:3", search));
        assertEquals(4, LayoutText.read("apart:6:2", search).size());
        assertEquals(2, LayoutText.read("ep", search).size());
        for (String wrong : new String[] {"dp:4", "tp:0", "tp:x", "apart:1", "ep:1:2", "", "tp:"}) {
            assertThrows(BenchException.class, () -> LayoutText.read(wrong, search), wrong);
        }
        assertThrows(BenchException.class, () -> MoeShapes.named("nosuch"));
    }

    @Test
    void aTraceThatIsRepeatedGoesOnAtItsRate() {
        Trace twice = TRACE.repeated(2 * TRACE.size());
        assertEquals(2 * TRACE.size(), twice.size());
        assertEquals(TRACE.inputs()[5], twice.inputs()[TRACE.size() + 5]);
        double rate = TRACE.size() / (double) TRACE.durationNanos();
        assertEquals(rate, twice.size() / (double) twice.durationNanos(), 0.01 * rate);
    }
}
