package io.cortado.moe;

import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Which experts of a layer each rank holds. An expert has a replica on one rank at least and none
 * twice on a rank.
 */
public final class ExpertPlacement {
    private static final int MIX = 0x9E37_79B9;

    private final int[][] experts;
    private final int[][] ranks;

    /**
     * @param numExperts of the layer
     * @param experts by rank and slot
     */
    public ExpertPlacement(int numExperts, int[][] experts) {
        this.experts = Arrays.stream(experts).map(int[]::clone).toArray(int[][]::new);
        ranks = new int[numExperts][0];
        for (int rank = 0; rank < experts.length; rank++) {
            for (int expert : experts[rank]) {
                if (expert < 0 || expert >= numExperts) {
                    throw new IllegalArgumentException(
                            "no such expert: rank=%d expert=%d experts=%d"
                                    .formatted(rank, expert, numExperts));
                }
                int count = ranks[expert].length;
                if (count > 0 && ranks[expert][count - 1] == rank) {
                    throw new IllegalArgumentException(
                            "a rank holds an expert once: rank=%d expert=%d"
                                    .formatted(rank, expert));
                }
                ranks[expert] = Arrays.copyOf(ranks[expert], count + 1);
                ranks[expert][count] = rank;
            }
        }
        for (int expert = 0; expert < numExperts; expert++) {
            if (ranks[expert].length == 0) {
                throw new IllegalArgumentException("an expert is on no rank: expert=" + expert);
            }
        }
    }

    /** Experts in order, once each, as many on each rank where the ranks divide them. */
    public static ExpertPlacement linear(int numExperts, int numRanks) {
        if (numRanks < 1) {
            throw new IllegalArgumentException("there is a rank at least: ranks=" + numRanks);
        }
        var experts = new int[numRanks][];
        for (int rank = 0; rank < numRanks; rank++) {
            int first = (int) ((long) numExperts * rank / numRanks);
            int end = (int) ((long) numExperts * (rank + 1) / numRanks);
            experts[rank] = IntStream.range(first, end).toArray();
        }
        return new ExpertPlacement(numExperts, experts);
    }

    public int numExperts() {
        return ranks.length;
    }

    public int numRanks() {
        return experts.length;
    }

    /** Of the rank with the most. */
    public int slotsPerRank() {
        return Arrays.stream(experts).mapToInt(all -> all.length).max().orElse(0);
    }

    /** By slot. */
    public int[] expertsOf(int rank) {
        return experts[rank].clone();
    }

    /** Ascending. */
    public int[] ranksOf(int expert) {
        return ranks[expert].clone();
    }

    /**
     * Where a token's choice of an expert is computed: a function of where the token stands in its
     * text and of the layer alone, whoever shares the batch.
     */
    public int rankOf(int expert, long position, int layer) {
        int[] all = ranks[expert];
        if (all.length == 1) {
            return all[0];
        }
        int mixed = (int) (position ^ position >>> 32) * MIX + layer * MIX * MIX;
        return all[Integer.remainderUnsigned(mixed ^ mixed >>> 15, all.length)];
    }

    /** Of each rank, where an expert's load is shared evenly by its replicas. */
    public double[] loads(long[] byExpert) {
        var loads = new double[experts.length];
        for (int rank = 0; rank < loads.length; rank++) {
            for (int expert : experts[rank]) {
                loads[rank] += (double) byExpert[expert] / ranks[expert].length;
            }
        }
        return loads;
    }

    /**
     * Mean load of a rank by the greatest: what part of the ranks' time is used; 1 without load.
     */
    public double balance(long[] byExpert) {
        double[] loads = loads(byExpert);
        double max = Arrays.stream(loads).max().orElse(0);
        return max == 0 ? 1 : Arrays.stream(loads).average().orElse(0) / max;
    }

    /** How many experts' weights go to a rank that did not have them. */
    public int movesFrom(ExpertPlacement before) {
        int moves = 0;
        for (int rank = 0; rank < experts.length; rank++) {
            for (int expert : experts[rank]) {
                moves += before.holds(rank, expert) ? 0 : 1;
            }
        }
        return moves;
    }

    /** Whether the rank has the expert's matrices. */
    public boolean holds(int rank, int expert) {
        return Arrays.binarySearch(ranks[expert], rank) >= 0;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof ExpertPlacement that && Arrays.deepEquals(experts, that.experts);
    }

    @Override
    public int hashCode() {
        return Arrays.deepHashCode(experts);
    }

    @Override
    public String toString() {
        return List.of(Arrays.stream(experts).map(Arrays::toString).toArray()).toString();
    }
}
