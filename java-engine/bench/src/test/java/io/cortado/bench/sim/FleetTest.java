package io.cortado.bench.sim;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.EngineOptions;
import io.cortado.api.EngineOptions.SchedulingPolicy;
import io.cortado.bench.traces.SyntheticTrace;
import io.cortado.bench.traces.Trace;
import io.cortado.engine.SimulatedEngine.StepCost;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What the engine promises under load, on a virtual clock: the same numbers on every machine. */
class FleetTest {
    private static final long SECOND = 1_000_000_000L;

    /** A millisecond and 10 us for each token. */
    private static final StepCost COST = work -> 1e6 + 1e4 * work.tokens;

    private static final int BUDGET = 512;

    private static SimSetup setup(SchedulingPolicy policy, Map<String, Double> weights) {
        EngineOptions options =
                EngineOptions.defaults()
                        .maxNumSeqs(64)
                        .maxNumBatchedTokens(BUDGET)
                        .maxWaiting(1_000_000);
        SimSetup.RouterKind router = SimSetup.RouterKind.LEAST_LOADED;
        return new SimSetup(options, weights, 1, router, 20_000, 0, 1000, 50, 0).policy(policy);
    }

    /** Rows of two tenants in turn; the lengths are the tenants' own. */
    private static Trace twoTenants(int size, long gapNanos, int[] inputs, int[] outputs) {
        long[] arrivals = new long[size];
        int[] tenants = new int[size];
        for (int i = 0; i < size; i++) {
            arrivals[i] = i * gapNanos;
            tenants[i] = i % 2;
        }
        return new Trace(
                "made",
                arrivals,
                Arrays.stream(tenants).map(t -> inputs[t]).toArray(),
                Arrays.stream(tenants).map(t -> outputs[t]).toArray(),
                tenants,
                List.of("a", "b"),
                null,
                0);
    }

    @Test
    void givesTwoToOneByWeightUnderOverload() {
        // Ten times what the engine can do, for 10 s; long prompts against long answers.
        Trace trace = twoTenants(20_000, SECOND / 2000, new int[] {400, 40}, new int[] {20, 200});
        SimSetup setup = setup(SchedulingPolicy.FAIR, Map.of("a", 2.0));
        Outcomes outcomes = Fleet.run(trace, setup, COST);
        double[] served = outcomes.served();
        assertEquals(2.0, served[0] / served[1], 0.1);
        assertTrue(outcomes.fairness() > 0.99, "fairness=" + outcomes.fairness());
        assertEquals(trace.size(), outcomes.ended());
    }

    @Test
    void servesByDemandWhereNobodyIsWeighted() {
        Trace trace = twoTenants(20_000, SECOND / 2000, new int[] {400, 40}, new int[] {20, 200});
        double[] served = Fleet.run(trace, setup(SchedulingPolicy.FCFS, Map.of()), COST).served();
        assertEquals(1.0, served[0] / served[1], 0.05); // 440 each
    }

    /**
     * The bound: of what is left of a step, a prompt under way and one newcomer have half each, so
     * that against any flood the prefill takes at most twice the steps that it takes alone, beside
     * the decodes' tokens, and a newcomer is in a step within maxPassedOver of arriving.
     */
    @ParameterizedTest
    @EnumSource(SchedulingPolicy.class)
    void aFloodOfOneTokenRequestsDoublesALongPrefillAtMost(SchedulingPolicy policy) {
        long alone = longPrefill(0, policy)[0];
        long[] flooded = longPrefill(15_000, policy);
        assertTrue(flooded[0] <= 2.2 * alone, "alone=%d flooded=%d".formatted(alone, flooded[0]));
        assertTrue(flooded[1] <= 0.1 * SECOND, "the flood's p99 in ns: " + flooded[1]);
    }

    /** TTFT of a prompt of 100,000 tokens, and the p99 of the flood's that comes with it. */
    private static long[] longPrefill(int flood, SchedulingPolicy policy) {
        int size = 1 + flood;
        long[] arrivals = new long[size];
        int[] inputs = new int[size];
        int[] outputs = new int[size];
        int[] tenants = new int[size];
        Arrays.fill(inputs, 1);
        Arrays.fill(outputs, 1);
        Arrays.fill(tenants, 1);
        inputs[0] = 100_000;
        tenants[0] = 0;
        for (int i = 1; i < size; i++) {
            arrivals[i] = i * (SECOND / 5000);
        }
        Trace trace =
                new Trace(
                        "flood",
                        arrivals,
                        inputs,
                        outputs,
                        tenants,
                        List.of("long", "flood"),
                        null,
                        0);
        double[] ttft = Fleet.run(trace, setup(policy, Map.of()), COST).ttftMs();
        long first = (long) (ttft[0] * 1e6);
        Arrays.sort(ttft, 1, size);
        return new long[] {first, flood == 0 ? 0 : (long) (ttft[(int) (size * 0.99)] * 1e6)};
    }

    /** Among equals of its order each policy serves all, whatever comes behind them. */
    @ParameterizedTest
    @EnumSource(SchedulingPolicy.class)
    void nobodyStarvesUnderALastingOverload(SchedulingPolicy policy) {
        Trace trace = twoTenants(20_000, SECOND / 400, new int[] {300, 30}, new int[] {30, 30});
        SimSetup setup = setup(policy, Map.of("a", 0.1));
        Outcomes outcomes = Fleet.run(trace, setup, COST);
        double[] served = outcomes.served();
        assertTrue(served[0] > 0 && served[1] > 0, Arrays.toString(served));
        assertEquals(trace.size(), outcomes.ended());
    }

    @Test
    void interactiveRequestsGoFirstByPriority() {
        Trace trace = twoTenants(4000, SECOND / 400, new int[] {300, 300}, new int[] {30, 30});
        SimSetup half = setup(SchedulingPolicy.PRIORITY, Map.of());
        SimSetup setup =
                new SimSetup(
                        half.options(),
                        Map.of(),
                        1,
                        half.router(),
                        half.kvBlocks(),
                        0,
                        half.ttftMs(),
                        half.tpotMs(),
                        0.5);
        Outcomes outcomes = Fleet.run(trace, setup, COST);
        double interactive = Arrays.stream(outcomes.interactiveTtftMs()).max().orElseThrow();
        double all = Arrays.stream(outcomes.ttftMs()).max().orElseThrow();
        assertTrue(interactive < all / 4, "interactive=%f all=%f".formatted(interactive, all));
    }

    @Test
    void fleetsLoseNothingAndRouteByPrefix() {
        Trace trace = SyntheticTrace.make(3000, 100, 7);
        SimSetup one = setup(SchedulingPolicy.FCFS, Map.of());
        double[] hits = new double[SimSetup.RouterKind.values().length];
        for (SimSetup.RouterKind router : SimSetup.RouterKind.values()) {
            SimSetup setup =
                    new SimSetup(one.options(), Map.of(), 8, router, 1500, 500, 1000, 50, 0.5);
            Outcomes outcomes = Fleet.run(trace, setup, COST);
            assertEquals(trace.size(), outcomes.ended());
            hits[router.ordinal()] = outcomes.hitRatio();
        }
        assertTrue(hits[2] > hits[0] && hits[2] > hits[1], Arrays.toString(hits));
    }

    @Test
    void dividesWhatThereIsMaxMinFairly() {
        double[] shares = Fairness.shares(100, new double[] {10, 200, 200}, new double[] {1, 1, 2});
        assertArrayEquals(new double[] {10, 30, 60}, shares, 1e-9);
        assertEquals(
                1, Fairness.index(shares, new double[] {10, 200, 200}, new double[] {1, 1, 2}));
    }
}
