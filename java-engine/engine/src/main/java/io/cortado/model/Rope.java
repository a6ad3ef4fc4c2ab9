package io.cortado.model;

import io.cortado.device.RopeStyle;
import java.util.List;

/**
 * How a layer's positions rotate.
 *
 * @param style which elements of a head rotate together
 * @param rotaryDim the first so many elements of a head rotate
 * @param theta the base of the frequencies
 * @param scaling what stretches them
 */
record Rope(RopeStyle style, int rotaryDim, double theta, Scaling scaling) {
    /** A layer without positions. */
    static final Rope NONE = new Rope(RopeStyle.NONE, 0, 1, new None());

    /** The kinds of transformers' {@code rope_type} that are built. */
    sealed interface Scaling {}

    record None() implements Scaling {}

    record Linear(double factor) implements Scaling {}

    record Llama3(double factor, double lowFreqFactor, double highFreqFactor, int originalPositions)
            implements Scaling {}

    /**
     * attentionFactor multiplies cos and sin; of mscaleAllDim (0: none) a family may make a factor
     * of the scores.
     */
    record Yarn(
            double factor,
            int originalPositions,
            double betaFast,
            double betaSlow,
            double attentionFactor,
            boolean truncate,
            double mscaleAllDim)
            implements Scaling {}

    /**
     * Divisors of the frequencies (Ding et al. 2024, arXiv 2402.13753): long ones for all tokens of
     * a sequence of more than originalPositions tokens, short ones for all tokens of another.
     * attentionFactor multiplies cos and sin of both.
     */
    record Long(
            List<Double> shortDivisors,
            List<Double> longDivisors,
            int originalPositions,
            double attentionFactor)
            implements Scaling {
        float divisor(boolean isLong, int index) {
            return (isLong ? longDivisors : shortDivisors).get(index).floatValue();
        }
    }
}
