package io.cortado.model;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Cosines and sines by position, in the arithmetic of transformers: frequencies and angles are
 * float32, so that far positions agree to the last bit of the angle.
 */
final class RopeTable {
    private RopeTable() {}

    /** out float32[numPositions][dim]: dim / 2 cosines, then as many sines. */
    static void fill(MemorySegment out, Rope rope, int dim, int numPositions) {
        float[] frequencies = inverseFrequencies(rope, dim);
        float factor = attentionFactor(rope.scaling());
        int half = dim / 2;
        for (int position = 0; position < numPositions; position++) {
            for (int i = 0; i < half; i++) {
                float angle = position * frequencies[i];
                long at = (long) position * dim + i;
                float cos = (float) Math.cos(angle) * factor;
                float sin = (float) Math.sin(angle) * factor;
                out.setAtIndex(ValueLayout.JAVA_FLOAT, at, cos);
                out.setAtIndex(ValueLayout.JAVA_FLOAT, at + half, sin);
            }
        }
    }

    static float attentionFactor(Rope.Scaling scaling) {
        return scaling instanceof Rope.Yarn yarn ? (float) yarn.attentionFactor() : 1;
    }

    static float[] inverseFrequencies(Rope rope, int dim) {
        float[] plain = new float[dim / 2];
        for (int i = 0; i < plain.length; i++) {
            plain[i] = 1f / (float) Math.pow(rope.theta(), 2f * i / dim);
        }
        switch (rope.scaling()) {
            case Rope.None _ -> {}
            case Rope.Linear linear -> {
                for (int i = 0; i < plain.length; i++) {
                    plain[i] /= (float) linear.factor();
                }
            }
            case Rope.Llama3 llama3 -> {
                for (int i = 0; i < plain.length; i++) {
                    plain[i] = llama3(llama3, plain[i]);
                }
            }
            case Rope.Yarn yarn -> yarn(yarn, rope.theta(), dim, plain);
        }
        return plain;
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
