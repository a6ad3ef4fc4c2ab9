package io.cortado.bench.conformance;

import io.cortado.bench.conformance.GoldenFile.Expected;
import io.cortado.bench.conformance.GoldenFile.GoldenPrompt;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Compares one model with its golden file, prompt by prompt. */
final class GoldenRun {
    /** What float32 arithmetic may differ by, from one order of summation to another. */
    private static final double TOLERANCE = 2e-3;

    /** bf16 rounds differently wherever the order differs: some times what the reference shows. */
    private static final double BF16_TIMES_SEEN = 4;

    private static final double BF16_TIMES_CPU = 2;

    /** Root mean square over the last logits, where the reference shows no scale of its own. */
    private static final double BF16_RMS = 0.2;

    private static final int[] CHUNKS = {1, 7, 16};

    private final LmDriver driver;
    private final GoldenFile golden;
    private final boolean isExact;
    private final double limit;
    private final double rmsLimit;
    private double largest;
    private double largestRms;

    private GoldenRun(
            LmDriver driver, GoldenFile golden, boolean isExact, double limit, double rmsLimit) {
        this.driver = driver;
        this.golden = golden;
        this.isExact = isExact;
        this.limit = limit;
        this.rmsLimit = rmsLimit;
    }

    /** With float32 activations: the reference's numbers and its greedy text. */
    static GoldenRun exact(LmDriver driver, GoldenFile golden) {
        return new GoldenRun(driver, golden, true, TOLERANCE, Double.POSITIVE_INFINITY);
    }

    /** With bf16 activations on the CPU: on the scale of what the reference itself then shows. */
    static GoldenRun rounded(LmDriver driver, GoldenFile golden) {
        return new GoldenRun(driver, golden, false, tolerance(golden, false), rmsLimit(golden));
    }

    private static double rmsLimit(GoldenFile golden) {
        return golden.bf16Scale().isEmpty() ? BF16_RMS : Double.POSITIVE_INFINITY;
    }

    /**
     * With keys and values in a type of their own, which no reference judges: the logits are to be
     * finite, and the same bits in every chunk and batch.
     */
    static GoldenRun withOwnKvType(LmDriver driver, GoldenFile golden) {
        double any = Double.POSITIVE_INFINITY;
        return new GoldenRun(driver, golden, false, any, any);
    }

    /** What a logit may differ by from the reference's. */
    static double tolerance(GoldenFile golden, boolean isExact) {
        return isExact
                ? TOLERANCE
                : BF16_TIMES_SEEN * golden.bf16Scale().orElse(Double.POSITIVE_INFINITY);
    }

    /**
     * With bf16 activations on another device.
     *
     * @param cpuDifference what the CPU showed on the same prompts
     */
    static GoldenRun rounded(LmDriver driver, GoldenFile golden, double cpuDifference) {
        return new GoldenRun(
                driver, golden, false, BF16_TIMES_CPU * cpuDifference, rmsLimit(golden));
    }

    /** Of the last logits of a prompt, the largest so far. */
    double largestRms() {
        return largestRms;
    }

    /** The largest difference seen so far. */
    double largestDifference() {
        return largest;
    }

    void run(int limit, Tally tally) {
        List<LmDriver.Sequence> alone = new ArrayList<>();
        int count = Math.min(limit, golden.prompts().size());
        for (int i = 0; i < count; i++) {
            GoldenPrompt prompt = golden.prompts().get(i);
            String where = "prompt " + i + " of " + prompt.ids().length + " ids";
            LmDriver.Sequence sequence = driver.sequence(0, prompt.ids(), i);
            driver.run(sequence, Integer.MAX_VALUE);
            alone.add(sequence);
            List<String> faults = new ArrayList<>();
            compareLogits(prompt, sequence.logits(), faults);
            compareChunks(prompt, sequence.logits(), faults);
            if (!isExact) {
                compareForced(prompt, faults);
            } else if (prompt.isGreedySure()) {
                compareGreedy(prompt, sequence, faults);
            }
            if (faults.isEmpty()) {
                tally.right();
            } else {
                tally.wrong(where + ": " + String.join("; ", faults));
            }
        }
        compareTogether(alone, count, tally);
    }

    private void compareLogits(GoldenPrompt prompt, float[][] logits, List<String> faults) {
        double worst = 0;
        for (Expected expected : prompt.expected()) {
            float[] row = logits[expected.position()];
            worst = larger(worst, logsumexp(row) - expected.logsumexp());
            for (int i = 0; i < expected.topIds().length; i++) {
                worst = larger(worst, row[expected.topIds()[i]] - expected.topLogits()[i]);
            }
        }
        float[] last = logits[logits.length - 1];
        double squares = 0;
        for (int i = 0; i < prompt.lastLogits().length; i++) {
            double difference = last[i] - prompt.lastLogits()[i];
            worst = larger(worst, difference);
            squares += difference * difference;
        }
        compareRms(Math.sqrt(squares / Math.max(1, prompt.lastLogits().length)), faults);
        largest = larger(largest, worst);
        // A NaN among the logits is wrong; no scale to judge by is not.
        if (worst > limit || Double.isNaN(worst)) {
            faults.add("|dlogit| %.5f above %.5f".formatted(worst, limit));
        }
    }

    private void compareRms(double rms, List<String> faults) {
        largestRms = Math.max(largestRms, rms);
        if (rms > rmsLimit || Double.isNaN(rms)) {
            faults.add("rms of the last logits %.4f above %.1f".formatted(rms, rmsLimit));
        }
    }

    /** Whatever the prompt was cut into, the logits are the same bits. */
    private void compareChunks(GoldenPrompt prompt, float[][] logits, List<String> faults) {
        for (int chunk : CHUNKS) {
            LmDriver.Sequence again = driver.sequence(1, prompt.ids(), 1000 + chunk);
            driver.run(again, chunk);
            if (!Arrays.deepEquals(again.logits(), logits)) {
                faults.add("chunks of " + chunk + " change the logits");
            }
        }
    }

    /**
     * Teacher-forced: the prompt and the reference's greedy text as input; where the reference's
     * first logit leads by more than the limit, it must be first here as well.
     */
    private void compareForced(GoldenPrompt prompt, List<String> faults) {
        List<Sure> sures = new ArrayList<>();
        for (Expected expected : prompt.expected()) {
            if (expected.topLogits().length > 1
                    && expected.topLogits()[0] - expected.topLogits()[1] > limit) {
                sures.add(new Sure(expected.position(), expected.topIds()[0]));
            }
        }
        int length = prompt.ids().length;
        for (int i = 0; i < prompt.greedyMargins().length; i++) {
            if (prompt.greedyMargins()[i] > limit) {
                sures.add(new Sure(length - 1 + i, prompt.greedy()[i]));
            }
        }
        int[] forced =
                Arrays.copyOf(prompt.ids(), length + Math.max(0, prompt.greedy().length - 1));
        System.arraycopy(prompt.greedy(), 0, forced, length, forced.length - length);
        LmDriver.Sequence sequence = driver.sequence(1, forced, 2000);
        driver.run(sequence, Integer.MAX_VALUE);
        for (Sure sure : sures) {
            int first = argmax(sequence.logits()[sure.position]);
            if (first != sure.id) {
                faults.add(
                        "position %d: first is %d, expected %d"
                                .formatted(sure.position, first, sure.id));
            }
        }
    }

    /** What must be the first id at a position. */
    private record Sure(int position, int id) {}

    private static int argmax(float[] logits) {
        int best = 0;
        for (int i = 1; i < logits.length; i++) {
            if (logits[i] > logits[best]) {
                best = i;
            }
        }
        return best;
    }

    private void compareGreedy(
            GoldenPrompt prompt, LmDriver.Sequence sequence, List<String> faults) {
        int[] generated = driver.greedy(sequence, prompt.greedy().length);
        int at = Arrays.mismatch(generated, prompt.greedy());
        if (at >= 0) {
            faults.add(
                    "greedy differs at %d of %d: expected %d but was %d"
                            .formatted(at, generated.length, prompt.greedy()[at], generated[at]));
        }
    }

    /** All prompts in one ragged batch, cut unevenly: still the same bits. */
    private void compareTogether(List<LmDriver.Sequence> alone, int count, Tally tally) {
        int batch = Math.min(count, 4);
        LmDriver.Sequence[] together = new LmDriver.Sequence[batch];
        for (int i = 0; i < batch; i++) {
            together[i] = driver.sequence(i, golden.prompts().get(i).ids(), 77 + i);
        }
        for (int step = 0; step < 1000; step++) {
            int[] counts = new int[batch];
            for (int i = 0; i < batch; i++) {
                counts[i] = Math.min(together[i].waiting(), 1 + (step + 5 * i) % 19);
            }
            if (Arrays.stream(counts).sum() == 0) {
                break;
            }
            driver.step(together, counts);
        }
        for (int i = 0; i < batch; i++) {
            float[][] rows = together[i].logits();
            float[][] own = Arrays.copyOf(alone.get(i).logits(), rows.length);
            if (!Arrays.deepEquals(rows, own)) {
                tally.wrong("prompt " + i + ": neighbours in the batch change the logits");
            }
        }
    }

    /** NaN stays. */
    private static double larger(double worst, double difference) {
        return Math.max(worst, Math.abs(difference));
    }

    static double logsumexp(float[] logits) {
        double max = Double.NEGATIVE_INFINITY;
        for (float logit : logits) {
            max = Math.max(max, logit);
        }
        double sum = 0;
        for (float logit : logits) {
            sum += Math.exp(logit - max);
        }
        return max + Math.log(sum);
    }
}
