package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.EngineException;
import io.cortado.api.EngineException.Code;
import io.cortado.api.EnginePlan;
import io.cortado.api.RankLoad;
import io.cortado.api.RankLoad.Hardware;
import io.cortado.api.RankPlan;
import io.cortado.layout.LayoutModel;
import io.cortado.layout.RankDevice;
import java.util.Objects;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Test;

class RankPlannerTest {
    /** 12 MB of experts on each of 4, 1 MB of all else; a token keeps 2,048 bytes. */
    private static final LayoutModel MODEL =
            new LayoutModel(
                    "small", 2, 0, 1000, 0, 490_000, 4000, 1024, 4, 4, 2, 1000, 0, 10, 1, 2, false);

    private static RankDevice device(double memory) {
        return new RankDevice(1e12, 1e12, 1e11, memory, 1e10, 1e10, 10e-6, 10e-6, 8);
    }

    private static RankLoad load(int batch, int ranks, int attention, int experts, double tpotMs) {
        return new RankLoad(
                Hardware.LOCAL, 100, 100, batch, ranks, attention, experts, tpotMs, 0, -1, 1);
    }

    private static RankPlan plan(double memory, RankLoad load) {
        return new RankPlanner(device(memory), MODEL, load).plan("m", "made");
    }

    private static EnginePlan.Refusal refusal(double memory, RankLoad load) {
        RankPlan plan = plan(memory, load);
        assertNull(plan.apart());
        return Objects.requireNonNull(plan.refusal());
    }

    private static RankPlan.Choice apart(RankPlan plan) {
        assertNull(plan.refusal());
        return Objects.requireNonNull(plan.apart());
    }

    @Test
    void aLargeBatchMakesBothSidesEvenAndHidesTheExchange() {
        RankPlan.Choice apart = apart(plan(1e9, load(0, 5, 0, 0, 1000)));
        assertTrue(apart.isEven() && apart.isExchangeShorter() && apart.isExchangeHidden());
        assertEquals(5, apart.attentionRanks() + apart.expertRanks());
        double shorter = Math.min(apart.attentionMicros(), apart.expertMicros());
        assertTrue(shorter >= 0.8 * Math.max(apart.attentionMicros(), apart.expertMicros()));
        assertTrue(Math.max(apart.attentionIdle(), apart.expertIdle()) < 0.25);
    }

    @Test
    void ranksThatAreNamedAreThose() {
        RankPlan.Choice apart = apart(plan(1e9, load(0, 0, 3, 2, 1000)));
        assertEquals(3, apart.attentionRanks());
        assertEquals(2, apart.expertRanks());
        RankPlan.Choice half = apart(plan(1e9, load(64, 6, 0, 2, 1000)));
        assertEquals(4, half.attentionRanks());
        assertEquals(64, half.batch(), 1e-9);
        assertEquals(64 / half.tpotMs() * 1e3 / 6, half.tokensPerSecondPerRank(), 1e-6);
    }

    @Test
    void itIsComparedWithHavingThemTogether() {
        RankPlan plan = plan(1e9, load(0, 8, 0, 0, 1000));
        RankPlan.Choice spread = Objects.requireNonNull(plan.expertParallel());
        RankPlan.Choice tensor = Objects.requireNonNull(plan.tensorParallel());
        assertEquals(spread.ranks(), spread.attentionRanks());
        assertEquals(tensor.attentionWeightBytes(), tensor.expertWeightBytes());
    }

    @Test
    void betterHardwareNeverGivesLess() {
        double last = 0;
        for (double gb : new double[] {0.1, 1, 10, 100}) {
            RankLoad load = new RankLoad(Hardware.LOCAL, 100, 100, 0, 8, 0, 0, 50, gb * 1e9, 0, 1);
            double now = apart(plan(1e9, load)).tokensPerSecondPerRank();
            assertTrue(now >= 0.98 * last, "link of %s GB/s: %f after %f".formatted(gb, now, last));
            last = now;
        }
    }

    @Test
    void weightsThatDoNotFitAreNamedBySide() {
        EnginePlan.Refusal attention = refusal(1e6, load(0, 8, 0, 0, 1000));
        assertEquals(Code.WEIGHTS_DO_NOT_FIT, attention.code());
        assertTrue(attention.message().contains("no expert"), attention.message());
        // An expert of both layers is 12 MB, all four are 48.
        EnginePlan.Refusal experts = refusal(15e6, load(0, 4, 0, 0, 1000));
        assertEquals(Code.WEIGHTS_DO_NOT_FIT, experts.code());
        assertTrue(experts.message().contains("4 ranks would hold them"), experts.message());
        assertEquals("--ranks", experts.flag());
        assertNotNull(plan(15e6, load(0, 5, 0, 0, 1000)).apart());
        assertTrue(refusal(5e6, load(0, 8, 0, 0, 1000)).message().contains("larger than that"));
        assertEquals("--expert-ranks", refusal(15e6, load(0, 0, 1, 2, 1000)).flag());
    }

    @Test
    void answersThatDoNotFitAreCounted() {
        // 15 MB - 0.98 - 0.04 leave 13.98 MB on the rank with attention: 6,826 tokens, 45 of 150.
        EnginePlan.Refusal kv = refusal(15e6, load(46, 5, 0, 0, 1000));
        assertEquals(Code.KV_DOES_NOT_FIT, kv.code());
        assertTrue(kv.message().contains("hold 45 of them"), kv.message());
        assertNotNull(plan(15e6, load(45, 5, 0, 0, 1000)).apart());
    }

    @Test
    void aTimeBetweenTokensThatNothingKeepsIsToldWithWhatItTakes() {
        EnginePlan.Refusal slow = refusal(1e9, load(8, 5, 0, 0, 0.001));
        assertEquals("--tpot-ms", slow.flag());
        double takes = Double.parseDouble(slow.message().split("takes ")[1].split(" ms")[0]);
        assertNotNull(plan(1e9, load(8, 5, 0, 0, takes + 0.001)).apart(), slow.message());
        assertNull(plan(1e9, load(8, 5, 0, 0, takes - 0.001)).apart(), slow.message());
    }

    @Test
    void aLoadThatContradictsItselfIsRefused() {
        for (int[] ranks : new int[][] {{4, 1, 2}, {4, 4, 0}, {4, 0, 4}, {1, 0, 0}, {-1, 0, 0}}) {
            EngineException e =
                    Assertions.assertThrows(
                            EngineException.class, () -> load(0, ranks[0], ranks[1], ranks[2], 50));
            assertEquals("ranks", e.param());
        }
        Assertions.assertThrows(EngineException.class, () -> load(0, 4, 0, 0, 0));
        Assertions.assertThrows(EngineException.class, () -> load(0, 4, 0, 0, Double.NaN));
    }
}
