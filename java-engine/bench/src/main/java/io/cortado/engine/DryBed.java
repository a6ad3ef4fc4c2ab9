package io.cortado.engine;

import io.cortado.api.Dry;
import io.cortado.sampling.Sampler;
import java.util.List;

/** The engine's search for repetitions, over tokens and breakers given as ids. */
public final class DryBed {
    private DryBed() {}

    /** Adds the penalties of the token after these to the sampler's last row. */
    public static void add(
            Dry dry, List<int[]> breakers, int[] tokens, int vocabSize, Sampler sampler) {
        new DryMatches(vocabSize)
                .add(dry, new DryBreakers(breakers), i -> tokens[i], tokens.length, sampler);
    }
}
