package io.cortado.bench;

import io.cortado.bench.conformance.MaskBatch;
import io.cortado.bench.conformance.MaskTimes;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Masks of real schemas with a real vocabulary, on one thread, by its CPU time: each schema's valid
 * texts are fed token by token, the mask made before each.
 */
@Command(
        name = "mask",
        description = "Time of token masks over the schemas of MaskBench.",
        mixinStandardHelpOptions = true)
final class MaskBench extends BenchCommand {
    private static final double[] SHARES = {0.5, 0.99, 0.999};
    private static final String[] NAMES = {"p50", "p99", "p999"};

    @Option(names = "--suite", paramLabel = "FOLDER", description = "the schemas")
    @Nullable Path suite;

    @Option(names = "--limit", description = "the most schemas of each file")
    int limit = Integer.MAX_VALUE;

    @Option(
            names = "--vocab-size",
            description = "the suite's vocabulary up to this size; 0: whole")
    int vocabSize = 128_000;

    @Option(names = "--batch", description = "structured answers at once; 0: none of this")
    int batch = 64;

    @Option(names = "--step-ms", description = "what the device takes meanwhile")
    double stepMs = 10;

    @Override
    void run(Results results) throws Exception {
        if (model != null) {
            throw new BenchException(
                    "masks are measured with the vocabulary of the suite, not of a model: MODEL="
                            + model);
        }
        require(limit >= 1, "limit", "positive", limit);
        require(
                vocabSize == 0 || vocabSize >= 1_000 && vocabSize <= 1 << 20,
                "vocab-size",
                "0 or in [1000, 1048576]",
                vocabSize);
        require(batch >= 0 && batch <= 1024, "batch", "in [0, 1024]", batch);
        require(stepMs > 0 && stepMs <= 10_000, "step-ms", "in (0, 10000]", stepMs);
        Path root = Path.of(System.getProperty("cortado.root", "."));
        Path folder = suite != null ? suite : root.resolve("../shared/suites/maskbench");
        if (!Files.exists(folder)) {
            throw new BenchException("no schemas to measure: --suite=" + folder);
        }
        MaskTimes times = MaskTimes.measure(folder, limit, vocabSize);
        Table table = new Table("what", "number", "mean", "p50", "p99", "p99.9", "max");
        put("mask", "us", times.masksUs(), table, results);
        put("first_mask", "ms", times.firstMasksMs(), table, results);
        put("grammar", "kB", times.grammarsKb(), table, results);
        if (batch > 0) {
            batch(folder, table, results);
        }
        table.print(out);
        double forcedShare = (double) times.forced() / times.masksUs().length;
        results.put("mask_forced_share", forcedShare, "ratio");
        results.put("mask_tokens", times.masksUs().length, "tokens");
        results.put("mask_schemas", times.firstMasksMs().length, "schemas");
        results.put("mask_refused", times.refused(), "schemas");
    }

    /** The masks of a step are made while the device runs it: what is longer is added to it. */
    private void batch(Path folder, Table table, Results results) throws Exception {
        double[] millis = MaskBatch.measure(folder, limit, vocabSize, batch);
        put("batch" + batch, "ms", millis, table, results);
        double[] added =
                Arrays.stream(millis)
                        .map(ms -> Math.max(0, ms - stepMs) / stepMs)
                        .sorted()
                        .toArray();
        results.put("batch_added_p50", added[added.length / 2], "ratio");
        results.put("batch_added_p99", added[(int) (added.length * 0.99)], "ratio");
        results.put("batch_added_mean", Arrays.stream(added).average().orElse(0), "ratio");
    }

    private static void put(
            String name, String unit, double[] values, Table table, Results results) {
        if (values.length == 0) {
            throw new BenchException("no schema was compiled");
        }
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        double mean = Arrays.stream(sorted).average().orElse(0);
        String suffix = "_" + unit.toLowerCase(Locale.ROOT);
        results.put(name + "_mean" + suffix, mean, unit);
        var cells = new String[7];
        cells[0] = name + " " + unit;
        cells[1] = String.valueOf(sorted.length);
        cells[2] = number(mean);
        for (int i = 0; i < SHARES.length; i++) {
            double value = sorted[(int) Math.min(sorted.length - 1, SHARES[i] * sorted.length)];
            results.put(name + "_" + NAMES[i] + suffix, value, unit);
            cells[3 + i] = number(value);
        }
        cells[6] = number(sorted[sorted.length - 1]);
        results.put(name + "_max" + suffix, sorted[sorted.length - 1], unit);
        table.row(cells);
    }

    private static String number(double value) {
        return String.format(Locale.ROOT, "%.2f", value);
    }
}
