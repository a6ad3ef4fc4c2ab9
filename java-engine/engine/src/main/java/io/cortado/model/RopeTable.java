package io.cortado.model;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Cosines and sines by position, in the arithmetic of transformers: frequencies and angles are
 * float32, so that far positions agree to the last bit of the angle.
 */
final class RopeTable {
    private RopeTable() {}

    /** Rows of the table: long rope has another set of angles for long sequences. */
    static long rows(Rope rope, int numPositions) {
        return rope.scaling() instanceof Rope.Long ? 2L * numPositions : numPositions;
    }

    /**
     * out float32[rows][rotaryDim]: rotaryDim / 2 cosines, then as many sines. Behind the positions
     * of short sequences stand those of long ones, where they differ.
     */
    static void fill(MemorySegment out, Rope rope, int numPositions) {
        float factor = attentionFactor(rope.scaling());
        fill(out, frequencies(rope, false), factor, numPositions);
        if (rope.scaling() instanceof Rope.Long) {
            MemorySegment behind = out.asSlice(4L * numPositions * rope.rotaryDim());
            fill(behind, frequencies(rope, true), factor, numPositions);
        }
    }

    private static void fill(
            MemorySegment out, float[] frequencies, float factor, int numPositions) {
        int half = frequencies.length;
        for (int position = 0; position < numPositions; position++) {
            for (int i = 0; i < half; i++) {
                float angle = position * frequencies[i];
                long at = (long) position * 2 * half + i;
                float cos = (float) Math.cos(angle) * factor;
                float sin = (float) Math.sin(angle) * factor;
                out.setAtIndex(ValueLayout.JAVA_FLOAT, at, cos);
                out.setAtIndex(ValueLayout.JAVA_FLOAT, at + half, sin);
            }
        }
    }

    static float attentionFactor(Rope.Scaling scaling) {
        return switch (scaling) {
            case Rope.Yarn yarn -> (float) yarn.attentionFactor();
            case Rope.Long both -> (float) both.attentionFactor();
            case Rope.None _, Rope.Linear _, Rope.Llama3 _ -> 1;
        };
    }

    /**
     * @param isLong of a sequence beyond the original length, where that makes a difference
     */
    static float[] frequencies(Rope rope, boolean isLong) {
        int dim = rope.rotaryDim();
        float[] result = new float[dim / 2];
        for (int i = 0; i < result.length; i++) {
            float power = (float) Math.pow(rope.theta(), 2f * i / dim);
            result[i] =
                    switch (rope.scaling()) {
                        case Rope.None _, Rope.Yarn _ -> 1f / power;
                        case Rope.Linear linear -> 1f / power / (float) linear.factor();
                        case Rope.Llama3 llama3 -> llama3(llama3, 1f / power);
                        case Rope.Long both -> 1f / (both.divisor(isLong, i) * power);
                    };
        }
        if (rope.scaling() instanceof Rope.Yarn yarn) {
            yarn(yarn, rope.theta(), dim, result);
        }
        return result;
    }

    /** Long waves are stretched, short ones kept, those between blended (Llama 3.1). */
    private static float llama3(Rope.Llama3 s, float frequency) {
        double wavelength = 2 * Math.PI / frequency;
        if (wavelength < s.originalPositions() / s.highFreqFactor()) {
            return frequency;
        }
        if (wavelength > s.originalPositions() / s.lowFreqFactor()) {
            return (float) (frequency / s.factor());
        }
        double smooth =
                (s.originalPositions() / wavelength - s.lowFreqFactor())
                        / (s.highFreqFactor() - s.lowFreqFactor());
        return (float) ((1 - smooth) * frequency / s.factor() + smooth * frequency);
    }

    /** Peng et al. 2023, arXiv 2309.00071: a ramp over the dimensions between two turn counts. */
    private static void yarn(Rope.Yarn s, double theta, int dim, float[] frequencies) {
        double low = correctionDim(s.betaFast(), s.originalPositions(), theta, dim);
        double high = correctionDim(s.betaSlow(), s.originalPositions(), theta, dim);
        if (s.truncate()) {
            low = Math.floor(low);
            high = Math.ceil(high);
        }
        low = Math.max(low, 0);
        high = Math.min(high, dim - 1);
        if (low == high) {
            high += 0.001;
        }
        for (int i = 0; i < frequencies.length; i++) {
            float ramp = (float) Math.clamp((i - low) / (high - low), 0, 1);
            float stretched = frequencies[i] / (float) s.factor();
            frequencies[i] = stretched * ramp + frequencies[i] * (1 - ramp);
        }
    }

    private static double correctionDim(double turns, int positions, double theta, int dim) {
        return dim * Math.log(positions / (turns * 2 * Math.PI)) / (2 * Math.log(theta));
    }
}
