package io.cortado.moe;

import io.cortado.device.Device;
import io.cortado.device.MoeRouteParams;
import io.cortado.device.MoeScores;

/**
 * How a token's experts are chosen and weighted, from the logits of a router.
 *
 * @param topK experts of a token
 * @param renormalize the weights of the chosen are divided by their sum
 * @param scale the weights are multiplied with
 * @param hasBias the router's logits have a bias
 * @param hasCorrection a bias per expert takes part in the choice and not in the weights
 */
public record Routing(
        int numExperts,
        int topK,
        MoeScores scores,
        Groups groups,
        boolean renormalize,
        float scale,
        boolean hasBias,
        boolean hasCorrection) {
    /**
     * Only experts of the best groups may be chosen.
     *
     * @param byBestTwo groups are compared by their best two, else by their best
     */
    public record Groups(int count, int top, boolean byBestTwo) {
        /** All experts are one group. */
        public static final Groups NONE = new Groups(1, 1, false);
    }

    /** The scores as they are, without groups or biases. */
    public static Routing of(int numExperts, int topK, MoeScores scores, boolean renormalize) {
        return new Routing(numExperts, topK, scores, Groups.NONE, renormalize, 1, false, false);
    }

    MoeRouteParams params(Device device) {
        return new MoeRouteParams(device)
                .logitsStride(numExperts)
                .experts(numExperts, topK)
                .scores(scores)
                .groups(groups.count, groups.top, groups.byBestTwo)
                .weights(renormalize, scale);
    }
}
