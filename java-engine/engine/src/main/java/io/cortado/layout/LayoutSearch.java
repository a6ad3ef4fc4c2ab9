package io.cortado.layout;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.function.DoubleFunction;
import org.jspecify.annotations.Nullable;

/**
 * The layout of a kind that decodes most tokens a second for each rank, keeps the time between
 * tokens and fits the memory.
 */
public final class LayoutSearch {
    /** More ranks than these are not looked at where their number is free. */
    public static final int MOST_RANKS = 320;

    public static final int MOST_MICRO_BATCHES = 4;

    private static final double GROWTH = 1.08;
    private static final int MOST_TENSOR_RANKS = 16;

    /** Layouts that give as much but for this part are alike. */
    private static final double ALIKE = 0.05;

    private final RankDevice device;
    private final LayoutModel model;
    private final LayoutCost cost;
    private final Limits limits;

    /**
     * @param context tokens that an answer attends to, on average
     * @param maxStep seconds between tokens
     * @param ranks of all together; 0: any number up to {@link #MOST_RANKS}
     * @param batch answers at once, of all ranks; 0: as many as give most
     */
    public record Limits(double context, double maxStep, int ranks, double batch) {
        /** Any number of ranks and answers. */
        public Limits(double context, double maxStep) {
            this(context, maxStep, 0, 0);
        }
    }

    public LayoutSearch(RankDevice device, LayoutModel model, LayoutCost cost, Limits limits) {
        this.device = device;
        this.model = model;
        this.cost = cost;
        this.limits = limits;
    }

    /** All matrices split over the ranks; null where none fits. */
    public @Nullable LayoutPlan tensorParallel() {
        LayoutPlan best = null;
        for (int ranks = 1; ranks <= Math.min(most(), MOST_TENSOR_RANKS); ranks *= 2) {
            best = better(best, best(new Layout.Tensor(ranks)));
        }
        return best;
    }

    /** Whole attention on each rank, experts spread over all of them. */
    public @Nullable LayoutPlan expertParallel() {
        LayoutPlan best = null;
        for (int ranks : expertRanks(Math.min(model.experts(), most()))) {
            best = better(best, best(new Layout.Spread(ranks, 1)));
            best = better(best, best(new Layout.Spread(ranks, 2)));
        }
        return best;
    }

    /**
     * Attention on some ranks, experts on others. Of those that give most, within 5%, those come
     * first whose exchange is hidden, and of these the one whose sides have most nearly as much to
     * do.
     *
     * @param attentionRanks 0: any number
     * @param expertRanks 0: any number
     */
    public @Nullable LayoutPlan apart(int attentionRanks, int expertRanks) {
        List<LayoutPlan> all = new ArrayList<>();
        for (Layout.Apart layout : allApart(attentionRanks, expertRanks)) {
            LayoutPlan plan = best(layout);
            if (plan != null) {
                all.add(plan);
            }
        }
        double most = all.stream().mapToDouble(LayoutPlan::perRank).max().orElse(0);
        return all.stream()
                .filter(plan -> plan.perRank() >= (1 - ALIKE) * most)
                .max(
                        Comparator.comparing(LayoutPlan::isExchangeHidden)
                                .thenComparing(LayoutPlan::isExchangeShorter)
                                .thenComparingDouble(LayoutPlan::evenness))
                .orElse(null);
    }

    /** The best of all that are apart, whatever their exchange. */
    public @Nullable LayoutPlan fastestApart() {
        LayoutPlan best = null;
        for (Layout.Apart layout : allApart(0, 0)) {
            best = better(best, best(layout));
        }
        return best;
    }

    /** Of those that fit the memory the one with the shortest step; the batch is given. */
    public @Nullable LayoutPlan quickestApart(int attentionRanks, int expertRanks) {
        LayoutPlan best = null;
        for (Layout.Apart layout : allApart(attentionRanks, expertRanks)) {
            LayoutPlan plan = plan(layout, limits.batch);
            if (plan != null && (best == null || plan.times().step() < best.times().step())) {
                best = plan;
            }
        }
        return best;
    }

    private List<Layout.Apart> allApart(int attentionRanks, int expertRanks) {
        List<Layout.Apart> all = new ArrayList<>();
        for (int experts : apartExperts(attentionRanks, expertRanks)) {
            for (int attention : apartAttention(attentionRanks, experts)) {
                for (int micro = 1; micro <= MOST_MICRO_BATCHES; micro++) {
                    all.add(new Layout.Apart(attention, experts, micro));
                }
            }
        }
        return all;
    }

    private List<Integer> apartExperts(int attentionRanks, int expertRanks) {
        if (expertRanks > 0) {
            return List.of(expertRanks);
        }
        int most = Math.min(model.experts(), most() - 1);
        if (limits.ranks == 0) {
            return expertRanks(most);
        }
        return attentionRanks > 0 ? within(limits.ranks - attentionRanks, most) : range(most);
    }

    private List<Integer> apartAttention(int attentionRanks, int experts) {
        if (attentionRanks > 0) {
            return List.of(attentionRanks);
        }
        if (limits.ranks > 0) {
            return within(limits.ranks - experts, limits.ranks);
        }
        List<Integer> all = new ArrayList<>();
        for (int ranks = 1; ranks + experts <= most(); ranks = Math.max(ranks + 1, ranks * 6 / 5)) {
            all.add(ranks);
        }
        return all;
    }

    private static List<Integer> within(int value, int most) {
        return value >= 1 && value <= most ? List.of(value) : List.of();
    }

    private static List<Integer> range(int most) {
        List<Integer> all = new ArrayList<>();
        for (int ranks = 1; ranks <= most; ranks++) {
            all.add(ranks);
        }
        return all;
    }

    /** Powers of two, and where the number of ranks is given, that. */
    private List<Integer> expertRanks(int most) {
        List<Integer> all = new ArrayList<>();
        for (int ranks = 1; ranks <= most; ranks *= 2) {
            all.add(ranks);
        }
        if (limits.ranks > 0 && !all.contains(most)) {
            all.add(most);
        }
        return all;
    }

    private int most() {
        return limits.ranks == 0 ? MOST_RANKS : limits.ranks;
    }

    private static @Nullable LayoutPlan better(@Nullable LayoutPlan a, @Nullable LayoutPlan b) {
        return a == null || b != null && b.perRank() > a.perRank() ? b : a;
    }

    /** With the batch that is asked for, of which fewer ranks have their share; or the best. */
    private @Nullable LayoutPlan best(Layout layout) {
        if (limits.batch == 0) {
            return largest(batch -> plan(layout, batch * widthOf(layout)));
        }
        double share = limits.ranks == 0 ? 1 : (double) layout.ranks() / limits.ranks;
        return plan(layout, limits.batch * share);
    }

    /** Answers are added for all ranks and micro-batches at once. */
    private static int widthOf(Layout layout) {
        return switch (layout) {
            case Layout.Tensor _ -> 1;
            case Layout.Spread(int ranks, int _) -> ranks;
            case Layout.Apart(int attention, int _, int micro) -> attention * micro;
        };
    }

    /** Of growing batches the best; what does not fit once does not fit later. */
    private static @Nullable LayoutPlan largest(DoubleFunction<@Nullable LayoutPlan> of) {
        LayoutPlan best = null;
        for (double batch = 1; ; batch = Math.max(batch + 1, Math.floor(batch * GROWTH))) {
            LayoutPlan next = of.apply(batch);
            if (next == null) {
                return best;
            }
            best = better(best, next);
        }
    }

    private @Nullable LayoutPlan plan(Layout layout, double batch) {
        double onAttention =
                cost.attentionRankBytes(layout) + cost.kvRankBytes(layout, batch * limits.context);
        if (Math.max(onAttention, cost.expertRankBytes(layout)) > device.memoryBytes()) {
            return null;
        }
        StepTimes times = cost.step(layout, StepWork.decode(batch, limits.context));
        return times.step() <= limits.maxStep ? new LayoutPlan(layout, batch, times) : null;
    }
}
