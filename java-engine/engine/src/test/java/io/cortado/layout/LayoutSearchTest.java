package io.cortado.layout;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.layout.LayoutSearch.Limits;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;

class LayoutSearchTest {
    /** Units so that a byte read, an operation and a byte sent each take a second. */
    private static final RankDevice UNIT = new RankDevice(1, 1, 1, 1e9, 1, 1, 5, 7, 2);

    /** A layer of 8 attention parameters, 2 experts of 12 each, one chosen; no vocabulary. */
    private static final LayoutModel SMALL = model(1, 2, 1, 0);

    /** Qwen3-30B-A3B and DeepSeek-V3 in round numbers. */
    private static final List<LayoutModel> LARGE =
            List.of(
                    new LayoutModel(
                            "small experts",
                            48,
                            0,
                            2048,
                            0,
                            19e6,
                            16_384,
                            2048,
                            4,
                            128,
                            8,
                            768,
                            0,
                            150_000,
                            2,
                            2,
                            false),
                    new LayoutModel(
                            "many experts",
                            58,
                            3,
                            7168,
                            4e8,
                            187e6,
                            280_000,
                            1152,
                            1,
                            256,
                            8,
                            2048,
                            44e6,
                            129_000,
                            1,
                            1,
                            true));

    private static LayoutModel model(int layers, int experts, int chosen, int vocabulary) {
        return new LayoutModel(
                "small",
                layers,
                0,
                2,
                0,
                8,
                3,
                8,
                1,
                experts,
                chosen,
                2,
                0,
                vocabulary,
                2,
                2,
                false);
    }

    private static LayoutSearch search(
            RankDevice device, LayoutModel model, double balance, Limits limits) {
        return new LayoutSearch(
                device, model, new LayoutCost(device, model, (_, _) -> balance, 0), limits);
    }

    @Test
    void aStepOfOneRankIsCountedByHand() {
        // One answer: 16 bytes of attention's weights, 10 tokens of 8 bytes, 10 pairs of 3
        // operations; of two experts one, 24 bytes. 16 + 80 + 24 seconds; two answers take longer.
        LayoutPlan one =
                Objects.requireNonNull(
                        search(UNIT, SMALL, 1, new Limits(10, 120)).expertParallel());
        assertEquals(1, one.layout().ranks());
        assertEquals(1, one.batch());
        assertEquals(120, one.times().step(), 1e-9);
        assertNull(search(UNIT, SMALL, 1, new Limits(10, 119)).expertParallel());
    }

    @Test
    void aPipelineIsCountedByHand() {
        // 1 : 1 with 2 micro-batches of one answer each, as above: 96 and 24 seconds; a way of 4
        // bytes among two ranks takes 5 + 4. The longest is attention, twice: 192.
        LayoutCost cost = new LayoutCost(UNIT, SMALL, (_, _) -> 1, 0);
        StepTimes times = cost.step(new Layout.Apart(1, 1, 2), StepWork.decode(2, 10));
        assertEquals(96, times.attention(), 1e-9);
        assertEquals(24, times.experts(), 1e-9);
        assertEquals(9, times.there(), 1e-9);
        assertEquals(9, times.back(), 1e-9);
        assertEquals(192, times.step(), 1e-9);
        assertEquals(0, times.attentionIdle(), 1e-9);
        assertEquals(1 - 48.0 / 192, times.expertIdle(), 1e-9);
        // With one micro-batch all wait for each other: 96 + 24 + 2 * 9.
        StepTimes one = cost.step(new Layout.Apart(1, 1, 1), StepWork.decode(1, 10));
        assertEquals(138, one.step(), 1e-9);
        assertEquals(1 - 96.0 / 138, one.attentionIdle(), 1e-9);
    }

    @Test
    void theConditionsAreThoseOfThePaper() {
        LayoutCost cost = new LayoutCost(UNIT, SMALL, (_, _) -> 1, 0);
        // T_f = 96, T_c = 9: 2 * 96 < 2 * (96 + 9) <= 3 * 96.
        LayoutPlan two = plan(cost, new Layout.Apart(1, 1, 2));
        LayoutPlan three = plan(cost, new Layout.Apart(1, 1, 3));
        assertTrue(two.isExchangeShorter() && !two.isExchangeHidden());
        assertTrue(three.isExchangeShorter() && three.isExchangeHidden());
        assertEquals(0.25, three.evenness(), 1e-9);
    }

    private static LayoutPlan plan(LayoutCost cost, Layout.Apart layout) {
        double batch = layout.microBatches();
        return new LayoutPlan(layout, batch, cost.step(layout, StepWork.decode(batch, 10)));
    }

    @Test
    void exchangesTakeWhatTheyTakeBetweenNodesOrWithin() {
        assertEquals(5 + 8, UNIT.exchange(2, 8), 1e-12);
        assertEquals(7 + 8, UNIT.exchange(3, 8), 1e-12);
        assertEquals(0, UNIT.allReduce(1, 8), 1e-12);
        assertEquals(5 + 8, UNIT.allReduce(2, 8), 1e-12);
    }

    @Test
    void chancesOfChoicesAreThoseOfAllOfThem() {
        assertEquals(2, SMALL.touched(2, 1e9), 1e-9);
        assertEquals(1, SMALL.touched(2, 1), 1e-9);
        assertEquals(1, SMALL.destinations(2), 1e-9);
    }

    @Test
    void memoryIsCountedByWhatEachRankHolds() {
        // Attention 16 bytes and the vocabulary's 4 * 5 * 2; experts 24 each; a token keeps 8.
        LayoutModel model = model(1, 4, 1, 5);
        LayoutCost cost = new LayoutCost(UNIT, model, (_, _) -> 1, 1);
        assertEquals((56 + 96) / 4.0, cost.attentionRankBytes(new Layout.Tensor(4)), 1e-9);
        assertEquals(56 + 3 * 24, cost.attentionRankBytes(new Layout.Spread(2, 1)), 1e-9);
        Layout.Apart apart = new Layout.Apart(3, 2, 2);
        assertEquals(56, cost.attentionRankBytes(apart), 1e-9);
        assertEquals(3 * 24, cost.expertRankBytes(apart), 1e-9);
        assertEquals(8 * 30 / 3.0, cost.kvRankBytes(apart, 30), 1e-9);
        assertEquals(3 * (1e9 - 56) / 8, cost.kvTokens(apart), 1);
        // Three ranks for four experts: two hold two, as all must have as many slots.
        assertEquals((2 + 1) * 24, cost.expertRankBytes(new Layout.Apart(1, 3, 1)), 1e-9);
    }

    @Test
    void ranksThatAreAskedForAreAllUsed() {
        for (int ranks : new int[] {2, 3, 5, 12}) {
            LayoutSearch search =
                    search(
                            RankDevice.H100,
                            LARGE.getFirst(),
                            0.95,
                            new Limits(1000, 0.1, ranks, 0));
            LayoutPlan plan = Objects.requireNonNull(search.apart(0, 0));
            assertEquals(ranks, plan.layout().ranks());
            LayoutPlan fixed = search.apart(1, 0);
            assertTrue(
                    fixed == null
                            || fixed.layout() instanceof Layout.Apart(int a, int e, int _)
                                    && a == 1
                                    && e == ranks - 1);
        }
        LayoutPlan given =
                search(RankDevice.H100, LARGE.getFirst(), 0.95, new Limits(1000, 0.1, 8, 64))
                        .apart(0, 0);
        assertEquals(64, Objects.requireNonNull(given).batch(), 1e-9);
    }

    @Test
    void aLayoutThatGivesAboutAsMuchIsTakenForItsHiddenExchangeAndEvenSides() {
        for (LayoutModel model : LARGE) {
            LayoutSearch search = search(RankDevice.H100, model, 0.95, new Limits(1000, 0.1));
            LayoutPlan chosen = Objects.requireNonNull(search.apart(0, 0), model.name());
            LayoutPlan fastest = Objects.requireNonNull(search.fastestApart());
            assertTrue(fastest.perRank() >= chosen.perRank(), model.name());
            assertTrue(chosen.perRank() >= 0.95 * fastest.perRank(), model.name());
            assertTrue(chosen.isExchangeHidden() || !fastest.isExchangeHidden(), model.name());
            assertTrue(chosen.evenness() > 0.75, model.name() + " " + chosen);
        }
    }

    @Test
    void withoutTimeOfExchangesTheSidesAreEvenAndEverythingIsHidden() {
        RankDevice free = RankDevice.H100.linkRate(1e18).linkSeconds(0);
        for (LayoutModel model : LARGE) {
            LayoutPlan chosen =
                    Objects.requireNonNull(
                            search(free, model, 1, new Limits(1000, 0.1)).apart(0, 0));
            assertTrue(chosen.isExchangeHidden() && chosen.isExchangeShorter(), model.name());
            assertTrue(chosen.evenness() > 0.9, model.name() + " " + chosen);
        }
    }

    @Test
    void whatIsBetterNeverGivesLess() {
        for (LayoutModel model : LARGE) {
            double last = 0;
            for (double ms : new double[] {30, 50, 100, 200}) {
                LayoutSearch search =
                        search(RankDevice.H100, model, 0.95, new Limits(1000, ms / 1e3));
                double best = 0;
                LayoutPlan[] all = {
                    search.tensorParallel(), search.expertParallel(), search.fastestApart()
                };
                for (LayoutPlan plan : all) {
                    if (plan != null) {
                        best = Math.max(best, plan.perRank());
                        assertTrue(plan.times().step() <= ms / 1e3);
                        assertTrue(plan.idle() > -1e-9 && plan.idle() < 1, plan.layout().text());
                    }
                }
                assertTrue(best >= last, model.name());
                last = best;
            }
            Limits limits = new Limits(1000, 0.1);
            LayoutPlan even = search(RankDevice.H100, model, 1, limits).expertParallel();
            LayoutPlan uneven = search(RankDevice.H100, model, 0.5, limits).expertParallel();
            assertNotNull(even);
            assertNotNull(uneven);
            assertTrue(even.perRank() >= uneven.perRank(), model.name());
        }
    }
}
