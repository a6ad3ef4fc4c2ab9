package io.cortado.bench;

import io.cortado.bench.sim.ZipfChoices;
import io.cortado.moe.ExpertBalancer;
import io.cortado.moe.ExpertPlacement;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Random;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * How evenly experts are placed: planned by the loads of a batch, judged by those of the next.
 * Tokens choose by Zipf's law, without choosing an expert twice.
 */
@Command(
        name = "eplb",
        description = "Balance of experts over ranks, and the time of its planning.",
        mixinStandardHelpOptions = true)
final class EplbBench implements Callable<Integer> {
    private static final int LAYERS = 58;
    private static final int TOP_K = 8;
    private static final double[] SKEWS = {0, 0.4, 0.8};
    private static final double ENOUGH = 0.9;
    private static final int RUNS = 5;

    private record Shape(int experts, int ranks) {}

    private static final Shape[] SHAPES = {new Shape(256, 32), new Shape(128, 8)};

    @Option(names = "--tokens", description = "of a batch")
    int tokens = 16_384;

    @Option(names = "--seed", description = "of the choices")
    long seed = 1;

    @Option(names = "--json", paramLabel = "FILE", description = "the results as JSON as well")
    @Nullable Path json;

    @Override
    public Integer call() throws Exception {
        try {
            BenchCommand.require(
                    tokens >= 1 && tokens <= 1 << 20, "tokens", "in [1, 2^20]", tokens);
        } catch (BenchException e) {
            System.err.println("error: " + e.getMessage());
            return 2;
        }
        var results = new Results();
        var table =
                new Table(
                        "experts, ranks, skew",
                        "linear",
                        "redundant 0",
                        "= ranks",
                        "= 2 ranks",
                        "moved");
        for (Shape shape : SHAPES) {
            for (double skew : SKEWS) {
                balance(shape, skew, table, results);
            }
        }
        table.print(System.out);
        results.put("eplb_plan_256x58_ms", planMs(), "ms");
        System.out.println();
        results.print(System.out);
        if (json != null) {
            results.writeJson(json);
        }
        return 0;
    }

    private void balance(Shape shape, double skew, Table table, Results results) {
        var random = new Random(seed);
        ZipfChoices choices = ZipfChoices.make(shape.experts, TOP_K, skew, random);
        long[] planned = choices.loads(tokens, random);
        long[] judged = choices.loads(tokens, random);
        var cells = new String[6];
        cells[0] = "%d, %d, %.1f".formatted(shape.experts, shape.ranks, skew);
        cells[1] = number(ExpertPlacement.linear(shape.experts, shape.ranks).balance(judged));
        for (int i = 0; i < 3; i++) {
            var balancer = new ExpertBalancer(shape.ranks, i * shape.ranks);
            double balance = balancer.plan(planned).balance(judged);
            cells[2 + i] = number(balance);
            if (i == 1) {
                String name = "eplb_balance_%dx%d_skew%d";
                results.put(
                        name.formatted(shape.experts, shape.ranks, Math.round(10 * skew)),
                        balance,
                        "ratio");
                cells[5] = moved(balancer, planned, choices, random);
            }
        }
        table.row(cells);
    }

    /** After a tenth of the experts have changed places with others, of all slots. */
    private String moved(
            ExpertBalancer balancer, long[] loads, ZipfChoices choices, Random random) {
        ExpertPlacement before = balancer.plan(loads);
        ZipfChoices drifted = choices.drifted(loads.length / 20, random);
        ExpertPlacement after = balancer.replan(before, drifted.loads(tokens, random), ENOUGH);
        int slots = after.numRanks() * after.slotsPerRank();
        return "%d of %d".formatted(after.movesFrom(before), slots);
    }

    private double planMs() {
        var random = new Random(seed);
        var layers = new long[LAYERS][];
        for (int layer = 0; layer < LAYERS; layer++) {
            double[] weights = ZipfChoices.make(256, TOP_K, 0.8, random).weights();
            layers[layer] = new long[weights.length];
            for (int i = 0; i < weights.length; i++) {
                layers[layer][i] = (long) (1e6 * weights[i] * (0.5 + random.nextDouble()));
            }
        }
        var balancer = new ExpertBalancer(32, 32);
        double best = Double.POSITIVE_INFINITY;
        for (int run = 0; run < RUNS; run++) {
            long begin = System.nanoTime();
            for (long[] loads : layers) {
                balancer.plan(loads);
            }
            best = Math.min(best, (System.nanoTime() - begin) / 1e6);
        }
        return best;
    }

    private static String number(double value) {
        return String.format(Locale.ROOT, "%.2f", value);
    }
}
