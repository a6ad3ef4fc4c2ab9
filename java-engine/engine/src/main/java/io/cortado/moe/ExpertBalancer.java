package io.cortado.moe;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/**
 * Places experts on ranks by measured loads: hot ones get further replicas, and replicas are packed
 * so that ranks have about the same to do. Greedy, as DeepSeek's EPLB
 * (github.com/deepseek-ai/EPLB), with swaps behind it, and never two replicas on a rank. A function
 * of its arguments alone.
 */
public final class ExpertBalancer {
    private final int numRanks;
    private final int redundant;
    private final int nodes;
    private final int groups;

    /**
     * @param numRanks that hold experts
     * @param redundant slots beyond one for each expert; experts and these together are divided by
     *     the ranks
     */
    public ExpertBalancer(int numRanks, int redundant) {
        this(numRanks, redundant, 1, 1);
    }

    /**
     * In nodes first, so that the experts of a group, of which a token chooses few, share a node.
     *
     * @param nodes of as many ranks each
     * @param groups of as many experts each, in order; divided by the nodes
     */
    public ExpertBalancer(int numRanks, int redundant, int nodes, int groups) {
        require(numRanks >= 1, "ranks", numRanks, "positive");
        require(redundant >= 0, "redundant", redundant, "0 or more");
        require(nodes >= 1 && numRanks % nodes == 0, "nodes", nodes, "a divisor of the ranks");
        require(groups >= 1 && groups % nodes == 0, "groups", groups, "divided by the nodes");
        require(redundant % nodes == 0, "redundant", redundant, "divided by the nodes");
        this.numRanks = numRanks;
        this.redundant = redundant;
        this.nodes = nodes;
        this.groups = groups;
    }

    private static void require(boolean holds, String name, int value, String what) {
        if (!holds) {
            throw new IllegalArgumentException(
                    "%s must be %s: %s=%d".formatted(name, what, name, value));
        }
    }

    /** For loads by expert: what was chosen, how often. */
    public ExpertPlacement plan(long[] loads) {
        int numExperts = loads.length;
        require(numExperts % groups == 0, "experts", numExperts, "divided by the groups");
        require(
                (numExperts + redundant) % numRanks == 0,
                "experts",
                numExperts,
                "with the redundant ones divided by the ranks");
        require(
                (long) numExperts * numRanks >= (long) numExperts + redundant,
                "redundant",
                redundant,
                "at most one replica of each expert on each further rank");
        int ranksPerNode = numRanks / nodes;
        var experts = new int[numRanks][];
        int[][] ofNodes = expertsOfNodes(loads);
        for (int node = 0; node < nodes; node++) {
            int[] own = ofNodes[node];
            int[][] packed = new NodePacking(loads, own, ranksPerNode, redundant / nodes).pack();
            System.arraycopy(packed, 0, experts, node * ranksPerNode, ranksPerNode);
        }
        return new ExpertPlacement(numExperts, experts);
    }

    /**
     * What to go on with: {@code before} where it balances well enough; else the same with a few
     * changes, where these do; else a new plan, its nodes, ranks and slots named so that few
     * weights move.
     *
     * @param enough {@link ExpertPlacement#balance} that is left alone
     */
    public ExpertPlacement replan(ExpertPlacement before, long[] loads, double enough) {
        double now = before.balance(loads);
        if (now >= enough) {
            return before;
        }
        ExpertPlacement shifted =
                new PlacementShifts(before, loads, numRanks / nodes).until(enough);
        double near = shifted.balance(loads);
        if (near >= enough) {
            return shifted;
        }
        ExpertPlacement fresh = plan(loads);
        double anew = fresh.balance(loads);
        if (anew > Math.max(near, now)) {
            return renamed(fresh, before);
        }
        return near > now ? shifted : before;
    }

    private int[][] expertsOfNodes(long[] loads) {
        int perGroup = loads.length / groups;
        var groupLoads = new double[groups];
        for (int expert = 0; expert < loads.length; expert++) {
            groupLoads[expert / perGroup] += loads[expert];
        }
        Integer[] order = descending(groupLoads);
        var filled = new int[nodes];
        var sums = new double[nodes];
        var experts = new int[nodes][loads.length / nodes];
        for (int group : order) {
            int to = -1;
            for (int node = 0; node < nodes; node++) {
                boolean hasRoom = filled[node] < experts[node].length;
                to = hasRoom && (to < 0 || sums[node] < sums[to]) ? node : to;
            }
            for (int i = 0; i < perGroup; i++) {
                experts[to][filled[to]++] = group * perGroup + i;
            }
            sums[to] += groupLoads[group];
        }
        return experts;
    }

    static Integer[] descending(double[] values) {
        var order = new Integer[values.length];
        Arrays.setAll(order, i -> i);
        Arrays.sort(order, Comparator.comparingDouble(i -> -values[i]));
        return order;
    }

    private ExpertPlacement renamed(ExpertPlacement fresh, ExpertPlacement before) {
        int ranksPerNode = numRanks / nodes;
        int[] nodeOf =
                matched(
                        nodes,
                        (from, to) -> {
                            int common = 0;
                            for (int i = 0; i < ranksPerNode * ranksPerNode; i++) {
                                common +=
                                        common(
                                                fresh,
                                                from * ranksPerNode + i / ranksPerNode,
                                                before,
                                                to * ranksPerNode + i % ranksPerNode);
                            }
                            return common;
                        });
        var experts = new int[numRanks][];
        for (int node = 0; node < nodes; node++) {
            int from = node * ranksPerNode;
            int to = nodeOf[node] * ranksPerNode;
            int[] rankOf = matched(ranksPerNode, (a, b) -> common(fresh, from + a, before, to + b));
            for (int rank = 0; rank < ranksPerNode; rank++) {
                int name = to + rankOf[rank];
                experts[name] = inOldSlots(fresh.expertsOf(from + rank), before.expertsOf(name));
            }
        }
        return new ExpertPlacement(fresh.numExperts(), experts);
    }

    private interface Common {
        int of(int from, int to);
    }

    private record Pair(int from, int to, int common) {}

    /** New names, those first that keep most. */
    private static int[] matched(int count, Common common) {
        List<Pair> pairs = new ArrayList<>(count * count);
        for (int from = 0; from < count; from++) {
            for (int to = 0; to < count; to++) {
                pairs.add(new Pair(from, to, common.of(from, to)));
            }
        }
        pairs.sort(Comparator.comparingInt(pair -> -pair.common));
        var names = new int[count];
        Arrays.fill(names, -1);
        var isTaken = new boolean[count];
        for (Pair pair : pairs) {
            if (names[pair.from] < 0 && !isTaken[pair.to]) {
                names[pair.from] = pair.to;
                isTaken[pair.to] = true;
            }
        }
        return names;
    }

    private static int common(ExpertPlacement a, int rankOfA, ExpertPlacement b, int rankOfB) {
        int common = 0;
        for (int expert : a.expertsOf(rankOfA)) {
            common += b.holds(rankOfB, expert) ? 1 : 0;
        }
        return common;
    }

    /** What stays on a rank keeps its slot. */
    private static int[] inOldSlots(int[] experts, int[] old) {
        var slots = new int[experts.length];
        Arrays.fill(slots, -1);
        List<Integer> others = new ArrayList<>();
        for (int expert : experts) {
            int slot = 0;
            while (slot < old.length && old[slot] != expert) {
                slot++;
            }
            if (slot < old.length) {
                slots[slot] = expert;
            } else {
                others.add(expert);
            }
        }
        for (int slot = 0; slot < slots.length; slot++) {
            slots[slot] = slots[slot] >= 0 ? slots[slot] : others.removeFirst();
        }
        return slots;
    }
}
