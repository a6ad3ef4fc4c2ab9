package io.cortado.bench.sim;

/** How near a division of service comes to the fair one. */
final class Fairness {
    private Fairness() {}

    /** What each would get max-min fairly: nobody more than its demand, the rest by weight. */
    static double[] shares(double total, double[] demand, double[] weights) {
        double[] shares = new double[demand.length];
        boolean[] isFull = new boolean[demand.length];
        double left = total;
        boolean fills = true;
        while (fills) {
            double open = 0;
            for (int i = 0; i < demand.length; i++) {
                open += isFull[i] ? 0 : weights[i];
            }
            fills = false;
            double perWeight = open == 0 ? 0 : left / open;
            for (int i = 0; i < demand.length; i++) {
                if (!isFull[i]) {
                    shares[i] = perWeight * weights[i];
                    if (shares[i] >= demand[i]) {
                        shares[i] = demand[i];
                        isFull[i] = true;
                        left -= demand[i];
                        fills = true;
                    }
                }
            }
        }
        return shares;
    }

    /** Jain's index of what each was served over its fair share: 1 where all have the same. */
    static double index(double[] served, double[] demand, double[] weights) {
        double total = 0;
        for (double s : served) {
            total += s;
        }
        double[] fair = shares(total, demand, weights);
        double sum = 0;
        double squares = 0;
        int n = 0;
        for (int i = 0; i < served.length; i++) {
            if (fair[i] > 0) {
                double ratio = served[i] / fair[i];
                sum += ratio;
                squares += ratio * ratio;
                n++;
            }
        }
        return squares == 0 ? 1 : sum * sum / (n * squares);
    }
}
