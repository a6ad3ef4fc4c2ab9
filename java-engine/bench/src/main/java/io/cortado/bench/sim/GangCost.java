package io.cortado.bench.sim;

import io.cortado.engine.SimulatedEngine.StepCost;
import io.cortado.engine.SimulatedEngine.Work;
import io.cortado.layout.Layout;
import io.cortado.layout.LayoutCost;
import io.cortado.layout.StepTimes;
import io.cortado.layout.StepWork;
import java.util.List;

/**
 * What a step of one rank with attention costs where the others have as much to do at the same
 * time: a scheduler of its own for each, and all of them in step. One thread.
 */
public final class GangCost implements StepCost {
    private final LayoutCost cost;
    private final List<? extends Layout> layouts;
    private final boolean hasPrefill;
    private final int width;
    private double seconds;
    private double attentionIdle;
    private double expertIdle;

    /**
     * @param layouts of the same ranks, of which each step takes the quickest
     * @param hasPrefill false: prompts come with their keys and values, from elsewhere
     */
    public GangCost(LayoutCost cost, List<? extends Layout> layouts, boolean hasPrefill) {
        this.cost = cost;
        this.layouts = layouts;
        this.hasPrefill = hasPrefill;
        width = width(layouts.getFirst());
    }

    /** How many ranks with attention of their own a layout has. */
    public static int width(Layout layout) {
        return switch (layout) {
            case Layout.Tensor _ -> 1;
            case Layout.Spread(int ranks, int _) -> ranks;
            case Layout.Apart apart -> apart.attentionRanks();
        };
    }

    @Override
    public double nanos(Work work) {
        double all = width;
        StepWork step =
                hasPrefill
                        ? new StepWork(
                                all * work.tokens,
                                all * work.readTokens,
                                all * work.attended,
                                all * work.rows)
                        : StepWork.decode(
                                all * work.decodes,
                                work.decodes == 0 ? 0 : (double) work.decodeKeys / work.decodes);
        if (step.tokens() == 0) {
            return 0;
        }
        StepTimes best = null;
        for (Layout layout : layouts) {
            StepTimes times = cost.step(layout, step);
            best = best == null || times.step() < best.step() ? times : best;
        }
        if (best == null) {
            throw new IllegalStateException("there is no layout");
        }
        seconds += best.step();
        attentionIdle += best.step() * best.attentionIdle();
        expertIdle += best.step() * best.expertIdle();
        return best.step() * 1e9;
    }

    /** Part of the steps' time in which a rank with attention does nothing. */
    public double attentionIdle() {
        return seconds == 0 ? 0 : attentionIdle / seconds;
    }

    /** The same of a rank with experts. */
    public double expertIdle() {
        return seconds == 0 ? 0 : expertIdle / seconds;
    }
}
