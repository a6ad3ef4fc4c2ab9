package io.cortado.bench;

import static io.cortado.bench.BenchCommand.require;

import io.cortado.bench.pingpong.PingPongRun;
import io.cortado.bench.pingpong.PingPongRun.Measured;
import io.cortado.bench.pingpong.PingPongRun.Setup;
import io.cortado.layout.Pipeline;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * {@code bench pingpong}: how idle both sides are where attention and experts are on ranks of their
 * own, measured with artificial times, beside what the planner counts.
 */
@Command(
        name = "pingpong",
        description =
                "Idle share of ranks with attention and of ranks with experts, which wait instead of"
                        + " computing: ratios of ranks and of times, 1 to 4 micro-batches.",
        mixinStandardHelpOptions = true)
final class PingPongBench implements Callable<Integer> {
    private static final int[][] RANKS = {{1, 1}, {2, 2}, {1, 3}};
    private static final double[] RATIOS = {0.8, 1, 1.2, 2};
    private static final int MOST_MICRO_BATCHES = 4;
    private static final int CALIBRATION_LAYERS = 200;

    @Option(names = "--layers", description = "of a step")
    int layers = 12;

    @Option(
            names = "--attention-ms",
            description = "of a layer and a micro-batch; experts take 0.8, 1, 1.2 and 2 of that")
    double attentionMs = 20;

    @Option(names = "--pair-kb", description = "KiB from each rank to each of the other side")
    int pairKb = 64;

    @Option(names = "--json", paramLabel = "FILE", description = "the results as JSON as well")
    @Nullable Path json;

    @Override
    public Integer call() throws Exception {
        try {
            require(layers >= 1 && layers <= 10_000, "layers", "in [1, 10000]", layers);
            require(
                    attentionMs > 0 && attentionMs <= 1e4,
                    "attention-ms",
                    "in (0, 10000]",
                    attentionMs);
            require(pairKb >= 1 && pairKb <= 65_536, "pair-kb", "in [1, 65536]", pairKb);
        } catch (BenchException e) {
            System.err.println("error: " + e.getMessage());
            return 2;
        }
        System.out.println("machine: " + Machine.describe());
        Results results = new Results();
        Table table =
                new Table(
                        "ranks, experts : attention, micro-batches",
                        "ms a layer",
                        "counted",
                        "attention idle",
                        "counted",
                        "experts idle",
                        "counted",
                        "both");
        for (int[] ranks : RANKS) {
            measure(ranks[0], ranks[1], table, results);
        }
        table.print(System.out);
        System.out.println();
        results.print(System.out);
        if (json != null) {
            results.writeJson(json);
        }
        return 0;
    }

    private void measure(int attention, int experts, Table table, Results results)
            throws InterruptedException {
        double wayMs = wayMs(attention, experts);
        results.put("pingpong_%d_%d_way_us".formatted(attention, experts), wayMs * 1e3, "us");
        for (double ratio : RATIOS) {
            double expertMs = ratio * attentionMs;
            Pipeline counted = new Pipeline(attentionMs, expertMs, wayMs, wayMs);
            for (int micro = 1; micro <= MOST_MICRO_BATCHES; micro++) {
                Measured measured =
                        PingPongRun.measure(
                                new Setup(
                                        attention,
                                        experts,
                                        micro,
                                        layers,
                                        (long) (attentionMs * 1e6),
                                        (long) (expertMs * 1e6),
                                        pairKb << 10));
                table.row(
                        "%d : %d, %.1f, %d".formatted(attention, experts, ratio, micro),
                        number(measured.seconds() * 1e3 / layers),
                        number(counted.layer(micro)),
                        percent(measured.attentionIdle()),
                        percent(counted.attentionIdle(micro)),
                        percent(measured.expertIdle()),
                        percent(counted.expertIdle(micro)),
                        percent(measured.idle()));
                String metric =
                        "pingpong_%d_%d_r%d_m%d_"
                                .formatted(attention, experts, Math.round(10 * ratio), micro);
                results.put(metric + "attention_idle", measured.attentionIdle(), "ratio");
                results.put(metric + "expert_idle", measured.expertIdle(), "ratio");
                results.put(metric + "idle", measured.idle(), "ratio");
                results.put(
                        metric + "over_counted",
                        measured.seconds() * 1e3 / layers / counted.layer(micro),
                        "ratio");
            }
        }
    }

    /** An exchange where nobody has anything to compute. */
    private double wayMs(int attention, int experts) throws InterruptedException {
        Setup idle = new Setup(attention, experts, 1, CALIBRATION_LAYERS, 0, 0, pairKb << 10);
        PingPongRun.measure(idle);
        return PingPongRun.measure(idle).seconds() * 1e3 / CALIBRATION_LAYERS / 2;
    }

    private static String number(double value) {
        return String.format(Locale.ROOT, "%.2f", value);
    }

    private static String percent(double value) {
        return String.format(Locale.ROOT, "%.1f%%", 100 * value);
    }
}
