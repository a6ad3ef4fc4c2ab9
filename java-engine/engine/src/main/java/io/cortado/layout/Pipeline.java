package io.cortado.layout;

/**
 * Micro-batches that go to and fro between two sides, as MegaScale-Infer (arXiv 2504.02263, section
 * 4) counts them. Times of a layer and a micro-batch, all in one unit.
 *
 * @param there rows to the experts
 * @param back their sums
 */
public record Pipeline(double attention, double experts, double there, double back) {
    /** Of a layer, all micro-batches. */
    public double layer(int microBatches) {
        double longest = Math.max(Math.max(attention, experts), Math.max(there, back));
        return Math.max(attention + experts + there + back, microBatches * longest);
    }

    /** Part of that in which the side with attention does nothing. */
    public double attentionIdle(int microBatches) {
        return 1 - microBatches * attention / layer(microBatches);
    }

    /** The same of the side with experts. */
    public double expertIdle(int microBatches) {
        return 1 - microBatches * experts / layer(microBatches);
    }
}
