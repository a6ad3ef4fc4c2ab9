package io.cortado.bench.traces;

import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/**
 * A made trace of any size: Poisson arrivals, log-normal lengths, four tenants of very different
 * demand, and a system prompt of one of sixteen kinds before half of the prompts.
 */
public final class SyntheticTrace {
    private static final int BLOCK_TOKENS = 256;
    private static final int SYSTEM_PROMPTS = 16;
    private static final double INPUT_MEDIAN = 400;
    private static final double OUTPUT_MEDIAN = 100;
    private static final double SIGMA = 0.9;
    private static final int MOST_INPUT = 8192;
    private static final int MOST_OUTPUT = 1024;
    private static final List<String> TENANTS = List.of("a", "b", "c", "d");

    /** Of every 15 requests. */
    private static final int[] DEMAND = {8, 4, 2, 1};

    private SyntheticTrace() {}

    public static Trace make(int requests, double perSecond, long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        long[] arrivals = new long[requests];
        int[] inputs = new int[requests];
        int[] outputs = new int[requests];
        int[] tenants = new int[requests];
        int[][] blocks = new int[requests][];
        double at = 0;
        int nextBlock = SYSTEM_PROMPTS;
        for (int i = 0; i < requests; i++) {
            arrivals[i] = (long) at;
            at += -Math.log(1 - random.nextDouble()) / perSecond * 1e9;
            inputs[i] = length(random, INPUT_MEDIAN, MOST_INPUT);
            outputs[i] = length(random, OUTPUT_MEDIAN, MOST_OUTPUT);
            tenants[i] = tenant(random.nextInt(IntStream.of(DEMAND).sum()));
            int numBlocks = (inputs[i] + BLOCK_TOKENS - 1) / BLOCK_TOKENS;
            boolean isShared = numBlocks > 1 && random.nextBoolean();
            blocks[i] = new int[numBlocks];
            for (int b = 0; b < numBlocks; b++) {
                blocks[i][b] = b == 0 && isShared ? random.nextInt(SYSTEM_PROMPTS) : nextBlock++;
            }
        }
        return new Trace(
                "synthetic", arrivals, inputs, outputs, tenants, TENANTS, blocks, BLOCK_TOKENS);
    }

    private static int length(SplittableRandom random, double median, int most) {
        return (int) Math.clamp(median * Math.exp(SIGMA * random.nextGaussian()), 1, most);
    }

    private static int tenant(int place) {
        int tenant = 0;
        int left = place;
        while (left >= DEMAND[tenant]) {
            left -= DEMAND[tenant++];
        }
        return tenant;
    }
}
