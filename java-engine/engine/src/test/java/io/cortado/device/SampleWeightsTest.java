package io.cortado.device;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SampleWeightsTest {
    private static final long SEED = Long.getLong("cortado.seed", 7);

    private static float[] logits(int count) {
        Random random = new Random(SEED + count);
        float[] logits = new float[count];
        for (int i = 0; i < count; i++) {
            logits[i] = (float) random.nextGaussian() * 5;
        }
        return logits;
    }

    private static float largest(float[] logits) {
        float top = Float.NEGATIVE_INFINITY;
        for (float logit : logits) {
            top = Math.max(top, logit);
        }
        return top;
    }

    private static long mass(float[] logits, int from, int count, float top) {
        return new SampleWeights(logits.length)
                .mass(MemorySegment.ofArray(logits), from, count, top);
    }

    /** Sizes about powers of 2, which the unit depends on. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5, 1023, 1024, 1025, 151936})
    void isTheLogarithmOfTheSumOfExponentials(int count) {
        float[] logits = logits(count);
        float top = largest(logits);
        double sum = 0;
        for (float logit : logits) {
            sum += Math.exp((double) logit - top);
        }
        SampleWeights weights = new SampleWeights(count);
        double got = weights.logOf(mass(logits, 0, count, top));
        assertEquals(Math.log(sum), got, 1e-8, "re-run with -Dcortado.seed=" + SEED);
    }

    @Test
    void partsAddUpToTheWholeInAnyOrder() {
        float[] logits = logits(1001);
        float top = largest(logits);
        long whole = mass(logits, 0, 1001, top);
        long parts =
                mass(logits, 700, 301, top) + mass(logits, 0, 1, top) + mass(logits, 1, 699, top);
        assertEquals(whole, parts);
    }

    @Test
    void whatIsFarBelowWeighsNothing() {
        float[] logits = new float[1024];
        Arrays.fill(logits, -60);
        Arrays.fill(logits, 512, 1024, Float.NEGATIVE_INFINITY);
        logits[3] = 0;
        assertEquals(1L << 52, mass(logits, 0, 1024, 0));
        logits[1023] = 0;
        assertEquals(1L << 53, mass(logits, 0, 1024, 0));
    }
}
