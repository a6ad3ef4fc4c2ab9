package io.cortado.bench.sim;

import java.util.Random;

/** Tokens that choose experts by Zipf's law, none twice. */
public final class ZipfChoices {
    private final double[] weights;
    private final int chosen;

    private ZipfChoices(double[] weights, int chosen) {
        this.weights = weights;
        this.chosen = chosen;
    }

    /**
     * @param chosen experts of a token
     * @param skew exponent of Zipf's law; 0: all are as likely
     * @param random which experts are the likely ones
     */
    public static ZipfChoices make(int experts, int chosen, double skew, Random random) {
        double[] weights = new double[experts];
        for (int i = 0; i < experts; i++) {
            int other = random.nextInt(i + 1);
            weights[i] = weights[other];
            weights[other] = Math.pow(i + 1, -skew);
        }
        return new ZipfChoices(weights, chosen);
    }

    /** The same after so many pairs of experts have changed places. */
    public ZipfChoices drifted(int pairs, Random random) {
        double[] drifted = weights.clone();
        for (int i = 0; i < pairs; i++) {
            int a = random.nextInt(weights.length);
            int b = random.nextInt(weights.length);
            double weight = drifted[a];
            drifted[a] = drifted[b];
            drifted[b] = weight;
        }
        return new ZipfChoices(drifted, chosen);
    }

    public double[] weights() {
        return weights.clone();
    }

    /**
     * How often each expert is chosen by so many tokens. Without repetition: the greatest of
     * weights' logarithms and Gumbel's noise.
     */
    public long[] loads(int tokens, Random random) {
        long[] loads = new long[weights.length];
        double[] keys = new double[weights.length];
        for (int token = 0; token < tokens; token++) {
            for (int i = 0; i < keys.length; i++) {
                keys[i] = -Math.log(1 - random.nextDouble()) / weights[i];
            }
            for (int choice = 0; choice < chosen; choice++) {
                int least = 0;
                for (int i = 1; i < keys.length; i++) {
                    least = keys[i] < keys[least] ? i : least;
                }
                loads[least]++;
                keys[least] = Double.POSITIVE_INFINITY;
            }
        }
        return loads;
    }
}
