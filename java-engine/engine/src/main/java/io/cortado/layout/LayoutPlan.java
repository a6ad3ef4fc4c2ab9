package io.cortado.layout;

/**
 * A layout and what it gives while decoding.
 *
 * @param batch answers at once, of all ranks
 */
public record LayoutPlan(Layout layout, double batch, StepTimes times) {
    /** Tokens a second for each rank. */
    public double perRank() {
        return batch / times.step() / layout.ranks();
    }

    /** Part of their time in which the ranks neither compute nor read, on average. */
    public double idle() {
        if (layout instanceof Layout.Apart(int attention, int experts, int _)) {
            double idle = attention * times.attentionIdle() + experts * times.expertIdle();
            return idle / (attention + experts);
        }
        return times.attentionIdle();
    }

    /** The longer of attention and experts, of a layer and a micro-batch. */
    private double compute() {
        return Math.max(times.attention(), times.experts());
    }

    private double oneWay() {
        return Math.max(times.there(), times.back());
    }

    /** MegaScale-Infer's second condition: a way takes less than computing. */
    public boolean isExchangeShorter() {
        return oneWay() < compute();
    }

    /** Its third: there are micro-batches enough to be computed while others are on their way. */
    public boolean isExchangeHidden() {
        return layout instanceof Layout.Apart apart
                && apart.microBatches() * compute() >= 2 * (compute() + oneWay());
    }

    /** Shorter by longer of attention and experts: 1 where both sides have as much to do. */
    public double evenness() {
        return Math.min(times.attention(), times.experts()) / compute();
    }
}
