package io.cortado.bench.conformance;

import java.util.List;

/**
 * What storing keys and values in another type does to the logits of given texts, every token of
 * which is input (teacher-forced).
 *
 * @param largest of |dlogit|
 * @param rms of all dlogits
 * @param logitRms of the logits themselves around their position's mean: the scale of the others
 * @param agreement part of the positions whose first id is the same
 * @param positions compared
 */
public record KvDifference(
        double largest, double rms, double logitRms, double agreement, long positions) {
    private static final int CHUNK = 256;

    /**
     * @param plain with keys and values in the activations' type
     */
    public static KvDifference between(LmDriver plain, LmDriver other, List<int[]> texts) {
        var sums = new Sums();
        for (int i = 0; i < texts.size(); i++) {
            float[][] expected = logits(plain, texts.get(i), i);
            float[][] actual = logits(other, texts.get(i), i);
            for (int position = 0; position < expected.length; position++) {
                sums.add(expected[position], actual[position]);
            }
        }
        return sums.difference();
    }

    private static float[][] logits(LmDriver driver, int[] text, long seed) {
        LmDriver.Sequence sequence = driver.sequence(0, text, seed);
        driver.run(sequence, CHUNK);
        return sequence.logits();
    }

    private static final class Sums {
        private double largest;
        private double squares;
        private double logitSquares;
        private long logits;
        private long agreeing;
        private long positions;

        void add(float[] expected, float[] actual) {
            double mean = 0;
            for (float logit : expected) {
                mean += logit / expected.length;
            }
            for (int i = 0; i < expected.length; i++) {
                double difference = (double) actual[i] - expected[i];
                squares += difference * difference;
                logitSquares += (expected[i] - mean) * (expected[i] - mean);
                largest = Math.max(largest, Math.abs(difference)); // NaN, once there, stays
            }
            logits += expected.length;
            agreeing += LmDriver.argmax(expected) == LmDriver.argmax(actual) ? 1 : 0;
            positions++;
        }

        KvDifference difference() {
            return new KvDifference(
                    largest,
                    Math.sqrt(squares / logits),
                    Math.sqrt(logitSquares / logits),
                    (double) agreeing / positions,
                    positions);
        }
    }
}
