package io.cortado.moe;

import java.util.Arrays;
import java.util.Comparator;
import java.util.PriorityQueue;

/** The experts of one node on its ranks. */
final class NodePacking {
    private static final int SWAPS_PER_RANK = 4;

    private final int[] experts;
    private final double[] share;
    private final int[] copies;
    private final int numRanks;
    private final int slots;
    private final int[][] placed;
    private final int[] filled;
    private final double[] sums;
    private final boolean[][] holds;

    NodePacking(long[] loads, int[] experts, int numRanks, int redundant) {
        this.experts = experts;
        this.numRanks = numRanks;
        int n = experts.length;
        slots = (n + redundant) / numRanks;
        share = new double[n];
        copies = new int[n];
        placed = new int[numRanks][slots];
        filled = new int[numRanks];
        sums = new double[numRanks];
        holds = new boolean[numRanks][n];
        replicate(loads, redundant);
    }

    /** One more of whichever has most to do for each of its copies. */
    private void replicate(long[] loads, int redundant) {
        Comparator<Integer> most =
                Comparator.<Integer>comparingDouble(i -> -share[i]).thenComparing(i -> i);
        var open = new PriorityQueue<Integer>(most);
        for (int i = 0; i < experts.length; i++) {
            copies[i] = 1;
            share[i] = loads[experts[i]];
            if (numRanks > 1) {
                open.add(i);
            }
        }
        for (int i = 0; i < redundant; i++) {
            int hottest = open.remove();
            copies[hottest]++;
            share[hottest] = (double) loads[experts[hottest]] / copies[hottest];
            if (copies[hottest] < numRanks) {
                open.add(hottest);
            }
        }
    }

    int[][] pack() {
        for (int i : ExpertBalancer.descending(share)) {
            for (int copy = 0; copy < copies[i]; copy++) {
                place(i);
            }
        }
        for (int swaps = 0; swaps < SWAPS_PER_RANK * numRanks && swap(); swaps++) {
            continue;
        }
        var result = new int[numRanks][slots];
        for (int rank = 0; rank < numRanks; rank++) {
            int[] own = placed[rank];
            Arrays.setAll(result[rank], slot -> experts[own[slot]]);
            Arrays.sort(result[rank]);
        }
        return result;
    }

    private void place(int i) {
        int to = -1;
        for (int rank = 0; rank < numRanks; rank++) {
            boolean fits = filled[rank] < slots && !holds[rank][i];
            to = fits && (to < 0 || sums[rank] < sums[to]) ? rank : to;
        }
        if (to < 0) {
            makeRoom(i);
        } else {
            put(to, filled[to]++, i);
        }
    }

    /** All ranks with room hold it: another one gives it a slot and takes one there. */
    private void makeRoom(int i) {
        int open = 0;
        while (filled[open] == slots) {
            open++;
        }
        for (int rank = 0; rank < numRanks; rank++) {
            for (int slot = 0; slot < filled[rank] && !holds[rank][i]; slot++) {
                int other = placed[rank][slot];
                if (!holds[open][other]) {
                    take(rank, slot);
                    put(rank, slot, i);
                    put(open, filled[open]++, other);
                    return;
                }
            }
        }
        throw new IllegalStateException("no rank can hold a further replica: expert=" + i);
    }

    private void put(int rank, int slot, int i) {
        placed[rank][slot] = i;
        holds[rank][i] = true;
        sums[rank] += share[i];
    }

    private void take(int rank, int slot) {
        int i = placed[rank][slot];
        holds[rank][i] = false;
        sums[rank] -= share[i];
    }

    /** Exchanges two experts where that takes most off the rank with most to do. */
    private boolean swap() {
        int most = 0;
        for (int rank = 1; rank < numRanks; rank++) {
            most = sums[rank] > sums[most] ? rank : most;
        }
        double best = sums[most] * (1 - 1e-9);
        int bestRank = -1;
        int bestFrom = 0;
        int bestTo = 0;
        for (int rank = 0; rank < numRanks; rank++) {
            for (int from = 0; from < slots && rank != most; from++) {
                for (int to = 0; to < slots; to++) {
                    int a = placed[most][from];
                    int b = placed[rank][to];
                    double less = share[a] - share[b];
                    double after = Math.max(sums[most] - less, sums[rank] + less);
                    if (less > 0 && after < best && !holds[rank][a] && !holds[most][b]) {
                        best = after;
                        bestRank = rank;
                        bestFrom = from;
                        bestTo = to;
                    }
                }
            }
        }
        if (bestRank < 0) {
            return false;
        }
        int a = placed[most][bestFrom];
        int b = placed[bestRank][bestTo];
        take(most, bestFrom);
        take(bestRank, bestTo);
        put(most, bestFrom, b);
        put(bestRank, bestTo, a);
        return true;
    }
}
