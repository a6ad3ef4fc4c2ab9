package io.cortado.moe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ExpertBalancerTest {
    /** Loads that fall as Zipf's, in random order. */
    private static long[] zipf(int numExperts, double skew, long seed) {
        var random = new Random(seed);
        var loads = new long[numExperts];
        Arrays.setAll(loads, i -> (long) (1e6 / Math.pow(i + 1, skew)));
        for (int i = numExperts - 1; i > 0; i--) {
            int other = random.nextInt(i + 1);
            long load = loads[i];
            loads[i] = loads[other];
            loads[other] = load;
        }
        return loads;
    }

    @ParameterizedTest
    @CsvSource({
        "256, 32, 32, 0.8",
        "256, 32, 64, 0.8",
        "128, 8, 8, 0.8",
        "128, 8, 16, 0.4",
        "256, 32, 32, 0.0",
        "64, 4, 4, 0.8",
        "8, 8, 8, 0.8"
    })
    void ranksHaveAboutTheSameToDo(int experts, int ranks, int redundant, double skew) {
        for (int seed = 0; seed < 20; seed++) {
            long[] loads = zipf(experts, skew, seed);
            ExpertPlacement plan = new ExpertBalancer(ranks, redundant).plan(loads);
            assertTrue(plan.balance(loads) >= 0.9, "balance=" + plan.balance(loads));
            assertEquals((experts + redundant) / ranks, plan.slotsPerRank());
        }
    }

    @Test
    void everyExpertIsSomewhereAndNowhereTwice() {
        var random = new Random(1);
        for (int i = 0; i < 2_000; i++) {
            int ranks = 1 + random.nextInt(8);
            int slots = 1 + random.nextInt(6);
            int most = ranks * slots;
            int least = Math.ceilDiv(most, ranks);
            int experts = least + random.nextInt(most - least + 1);
            var loads = new long[experts];
            Arrays.setAll(loads, e -> random.nextInt(3) == 0 ? 0 : random.nextInt(1_000));
            ExpertPlacement plan = new ExpertBalancer(ranks, most - experts).plan(loads);
            assertEquals(slots, plan.slotsPerRank()); // what its constructor refuses is not made
            assertEquals(plan, new ExpertBalancer(ranks, most - experts).plan(loads));
        }
    }

    @Test
    void groupsStayOnANode() {
        long[] loads = zipf(64, 0.8, 3);
        ExpertPlacement plan = new ExpertBalancer(8, 8, 2, 8).plan(loads);
        for (int group = 0; group < 8; group++) {
            int node = plan.ranksOf(group * 8)[0] / 4;
            for (int expert = group * 8; expert < group * 8 + 8; expert++) {
                for (int rank : plan.ranksOf(expert)) {
                    assertEquals(node, rank / 4, "expert=" + expert);
                }
            }
        }
    }

    @Test
    void littleMovesWhereLittleChanges() {
        var balancer = new ExpertBalancer(8, 8);
        long[] loads = zipf(128, 0.8, 5);
        ExpertPlacement before = balancer.plan(loads);
        assertSame(before, balancer.replan(before, loads, 0.9));
        var random = new Random(9);
        long[] changed = loads.clone();
        Arrays.setAll(changed, i -> (long) (loads[i] * (0.3 + 1.4 * random.nextDouble())));
        ExpertPlacement after = balancer.replan(before, changed, 0.99);
        assertNotEquals(before, after);
        assertTrue(after.balance(changed) > before.balance(changed));
        int moves = after.movesFrom(before);
        assertTrue(moves < balancer.plan(changed).movesFrom(before), "moves=" + moves);
        for (int rank = 0; rank < 8; rank++) {
            int[] old = before.expertsOf(rank);
            int[] now = after.expertsOf(rank);
            for (int slot = 0; slot < old.length; slot++) {
                boolean stays = Arrays.stream(now).anyMatch(asInt(old[slot])::equals);
                assertTrue(!stays || now[slot] == old[slot], "a slot changed for nothing");
            }
        }
    }

    @Test
    void whateverThereWasGetsNoWorse() {
        var random = new Random(2);
        for (int i = 0; i < 500; i++) {
            int nodes = 1 + random.nextInt(2);
            int ranks = nodes * (1 + random.nextInt(4));
            int experts = 8 * ranks;
            var balancer = new ExpertBalancer(ranks, ranks == nodes ? 0 : ranks, nodes, nodes);
            ExpertPlacement before = balancer.plan(zipf(experts, 0.8, random.nextLong()));
            long[] loads = zipf(experts, random.nextDouble(), random.nextLong());
            ExpertPlacement after = balancer.replan(before, loads, 0.95);
            assertTrue(after.balance(loads) >= before.balance(loads));
            assertTrue(after.balance(loads) >= Math.min(0.95, balancer.plan(loads).balance(loads)));
            int perNode = ranks / nodes;
            for (int expert = 0; expert < experts; expert++) {
                int[] on = after.ranksOf(expert);
                assertEquals(on[0] / perNode, on[on.length - 1] / perNode, "of one node");
            }
        }
    }

    private static Integer asInt(int value) {
        return value;
    }

    @Test
    void aTokensReplicaIsAFunctionOfItsPlace() {
        var placement = new ExpertPlacement(2, new int[][] {{0, 1}, {1, 0}, {0, 1}});
        var counts = new int[3];
        for (long position = 0; position < 3_000; position++) {
            int rank = placement.rankOf(0, position, 7);
            assertEquals(rank, placement.rankOf(0, position, 7));
            counts[rank]++;
        }
        for (int count : counts) {
            assertTrue(count > 800, Arrays.toString(counts));
        }
    }

    @Test
    void whatCannotBeIsRefused() {
        assertThrows(IllegalArgumentException.class, () -> new ExpertBalancer(0, 0));
        assertThrows(IllegalArgumentException.class, () -> new ExpertBalancer(4, 0, 3, 3));
        assertThrows(
                IllegalArgumentException.class, () -> new ExpertBalancer(4, 1).plan(new long[8]));
        assertThrows(
                IllegalArgumentException.class, () -> new ExpertBalancer(1, 1).plan(new long[8]));
        assertThrows(
                IllegalArgumentException.class,
                () -> new ExpertPlacement(2, new int[][] {{0, 0}, {1, 0}}));
        assertThrows(
                IllegalArgumentException.class, () -> new ExpertPlacement(2, new int[][] {{0}}));
        assertThrows(IllegalArgumentException.class, () -> ExpertPlacement.linear(10, 0));
    }
}
