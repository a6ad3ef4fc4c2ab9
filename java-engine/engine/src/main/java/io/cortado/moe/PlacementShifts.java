package io.cortado.moe;

/**
 * Changes a placement step by step, that of most use first, until it balances well enough: two
 * experts of different ranks change places, or a further replica takes the slot of an expert that
 * has another one. Few weights move, where a new plan would move most.
 */
final class PlacementShifts {
    private final long[] loads;
    private final int ranksPerNode;
    private final int numRanks;
    private final int slots;
    private final int[][] experts;
    private final boolean[][] holds;
    private final int[] copies;
    private final double[] sums;

    /** The best step found so far: how much it takes off the sum of squares, and what it is. */
    private double best;

    private int bestFrom;
    private int bestRank;
    private int bestSlot;
    private boolean isReplica;

    PlacementShifts(ExpertPlacement before, long[] loads, int ranksPerNode) {
        this.loads = loads;
        this.ranksPerNode = ranksPerNode;
        numRanks = before.numRanks();
        slots = before.slotsPerRank();
        experts = new int[numRanks][];
        holds = new boolean[numRanks][before.numExperts()];
        copies = new int[before.numExperts()];
        for (int rank = 0; rank < numRanks; rank++) {
            experts[rank] = before.expertsOf(rank);
            for (int expert : experts[rank]) {
                holds[rank][expert] = true;
                copies[expert]++;
            }
        }
        sums = before.loads(loads);
    }

    /** Ends below {@code enough} where no step helps. */
    ExpertPlacement until(double enough) {
        double mean = 0;
        for (double sum : sums) {
            mean += sum / numRanks;
        }
        for (int i = 0; i < numRanks * slots; i++) {
            int most = busiest();
            if (mean >= enough * sums[most] || !step(most)) {
                break;
            }
        }
        return new ExpertPlacement(copies.length, experts);
    }

    private int busiest() {
        int most = 0;
        for (int rank = 1; rank < numRanks; rank++) {
            most = sums[rank] > sums[most] ? rank : most;
        }
        return most;
    }

    private boolean step(int most) {
        best = 0;
        int node = most / ranksPerNode * ranksPerNode;
        for (int from = 0; from < slots; from++) {
            for (int rank = node; rank < node + ranksPerNode; rank++) {
                int expert = experts[most][from];
                if (rank != most && !holds[rank][expert]) {
                    look(most, from, rank, expert);
                }
            }
        }
        if (best <= 0) {
            return false;
        }
        int expert = experts[most][bestFrom];
        int other = experts[bestRank][bestSlot];
        if (isReplica) {
            share(expert, copies[expert] + 1);
            give(bestRank, bestSlot, expert);
            drop(other);
        } else {
            exchange(most, bestFrom, bestRank, bestSlot);
        }
        return true;
    }

    private void look(int most, int from, int rank, int expert) {
        for (int slot = 0; slot < slots; slot++) {
            int other = experts[rank][slot];
            if (!holds[most][other]) {
                double less = share(expert) - share(other);
                // Of (a - d)^2 + (b + d)^2 against a^2 + b^2.
                keep(2 * less * (sums[most] - sums[rank] - less), from, rank, slot, false);
            }
            if (copies[other] > 1) {
                keep(gainOfReplica(expert, rank, other), from, rank, slot, true);
            }
        }
    }

    private void keep(double gain, int from, int rank, int slot, boolean replica) {
        if (gain > best * (1 + 1e-9) && gain > 1e-9 * sums[rank] * sums[rank]) {
            best = gain;
            bestFrom = from;
            bestRank = rank;
            bestSlot = slot;
            isReplica = replica;
        }
    }

    private double share(int expert) {
        return (double) loads[expert] / copies[expert];
    }

    private double gainOfReplica(int expert, int rank, int other) {
        double lower = (double) loads[expert] / (copies[expert] + 1);
        double higher = (double) loads[other] / (copies[other] - 1);
        double gain = 0;
        for (int r = 0; r < numRanks; r++) {
            double sum = sums[r];
            if (r == rank) {
                sum += lower - share(other);
            } else {
                sum += holds[r][expert] ? lower - share(expert) : 0;
                sum += holds[r][other] ? higher - share(other) : 0;
            }
            gain += sums[r] * sums[r] - sum * sum;
        }
        return gain;
    }

    /** Has another number of copies of an expert share its load, on the ranks that hold it now. */
    private void share(int expert, int count) {
        double more = (double) loads[expert] / count - share(expert);
        copies[expert] = count;
        for (int rank = 0; rank < numRanks; rank++) {
            sums[rank] += holds[rank][expert] ? more : 0;
        }
    }

    /** Puts an expert, whose copies are counted, into the slot of another. */
    private void give(int rank, int slot, int expert) {
        int other = experts[rank][slot];
        sums[rank] += share(expert) - share(other);
        holds[rank][other] = false;
        holds[rank][expert] = true;
        experts[rank][slot] = expert;
    }

    private void drop(int expert) {
        share(expert, copies[expert] - 1);
    }

    private void exchange(int a, int slotOfA, int b, int slotOfB) {
        int expert = experts[a][slotOfA];
        int other = experts[b][slotOfB];
        give(a, slotOfA, other);
        give(b, slotOfB, expert);
    }
}
