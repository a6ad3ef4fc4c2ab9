package io.cortado.bench;

import io.cortado.bench.sim.FittedCost;
import io.cortado.engine.MeasuredEngine;
import io.cortado.engine.SimulatedEngine.Work;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Predicate;
import java.util.function.ToDoubleFunction;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Measures the steps of a model on this machine, fits a cost to them for {@code bench sim --cost},
 * and judges it by steps that it was not fitted to.
 */
@Command(
        name = "fit",
        description = "Measures what steps cost here, for bench sim --cost FILE.json.",
        mixinStandardHelpOptions = true)
final class FitBench extends BenchCommand {
    private static final int CHUNK = 256;
    private static final int OUTPUT = 24;
    private static final int SHORT = 8;
    private static final int[] BATCHES = {2, 4, 8, 16};
    private static final int MIXED = 24;

    @Option(names = "--out", required = true, paramLabel = "FILE", description = "ends in .json")
    Path file = Path.of("cost.json");

    @Option(names = "--context", description = "tokens of the long prompt")
    int context = 2048;

    /** A step that has run. */
    private record Step(long tokens, long rows, long read, long attended, double nanos) {
        boolean isDecode(int batch) {
            return tokens == batch && rows == batch;
        }

        Work work() {
            Work work = new Work();
            work.tokens = tokens;
            work.rows = rows;
            work.readTokens = read;
            work.attended = attended;
            return work;
        }
    }

    private final List<Step> steps = new CopyOnWriteArrayList<>();

    @Override
    void run(Results results) throws Exception {
        require(FittedCost.isOne(file.toString()), "out", "a file *.json", file);
        require(context >= 4 * CHUNK, "context", "at least " + 4 * CHUNK, context);
        try (EngineTarget target =
                new EngineTarget(
                        MeasuredEngine.open(
                                engine.modelFolder(model),
                                engine.options()
                                        .prefixCaching(false)
                                        .kvOffloadBytes(0)
                                        .maxNumBatchedTokens(CHUNK),
                                this::note))) {
            RandomPrompts.requireFits(target.engine().model(), context, OUTPUT);
            RandomPrompts prompts = new RandomPrompts(target.vocabSize(), seed);
            together(target, prompts, new int[] {CHUNK, SHORT}, OUTPUT); // warms up
            String name = target.engine().model().name() + " on " + Machine.describe();
            FittedCost cost = fit(target, prompts, name);
            cost.write(file);
            print(cost, results);
            judge(target, prompts, cost, results);
        }
    }

    private void note(Work work, long nanos) {
        steps.add(new Step(work.tokens, work.rows, work.readTokens, work.attended, nanos));
    }

    private FittedCost fit(EngineTarget target, RandomPrompts prompts, String name)
            throws Exception {
        steps.clear();
        together(target, prompts, new int[] {context}, OUTPUT);
        // Chunks of one size differ by the pairs alone: half of them against the other half.
        List<Step> chunks = where(step -> step.tokens == CHUNK);
        int half = chunks.size() / 2;
        List<Step> near = chunks.subList(0, half);
        List<Step> far = chunks.subList(half, chunks.size());
        double pair =
                slope(
                        median(near, Step::nanos),
                        median(far, Step::nanos),
                        median(near, step -> step.attended),
                        median(far, step -> step.attended));
        List<Step> decodes = where(step -> step.isDecode(1));
        long[] sizes = sizes();
        double[] curve = new double[sizes.length];
        for (int i = 0; i < sizes.length; i++) {
            int size = (int) sizes[i];
            steps.clear();
            for (int run = 0; run < runs; run++) {
                together(target, prompts, new int[] {size}, 1);
            }
            List<Step> whole = where(step -> step.tokens == size);
            double own = median(whole, Step::nanos) - pair * median(whole, step -> step.attended);
            curve[i] = Math.max(i == 0 ? 1 : curve[i - 1], own);
        }
        double read =
                slope(
                        curve[0],
                        median(decodes, Step::nanos),
                        0,
                        median(decodes, step -> step.read));
        double row = row(target, prompts, new FittedCost(name, sizes, curve, 0, pair, read));
        return new FittedCost(name, sizes, curve, row, pair, read);
    }

    private static long[] sizes() {
        long[] sizes = new long[Integer.numberOfTrailingZeros(CHUNK) + 1];
        Arrays.setAll(sizes, i -> 1L << i);
        return sizes;
    }

    /** By batches of decodes, whose steps have as many rows as tokens; least squares. */
    private double row(EngineTarget target, RandomPrompts prompts, FittedCost without)
            throws Exception {
        double up = 0;
        double down = 0;
        for (int batch : BATCHES) {
            steps.clear();
            int[] lengths = new int[batch];
            Arrays.fill(lengths, SHORT);
            together(target, prompts, lengths, OUTPUT);
            List<Step> decodes = where(step -> step.isDecode(batch));
            double rest = median(decodes, step -> step.nanos - without.nanos(step.work()));
            up += rest * (batch - 1);
            down += (batch - 1.0) * (batch - 1);
        }
        return Math.max(0, up / down);
    }

    private static double slope(double lowY, double highY, double lowX, double highX) {
        return Math.max(0, (highY - lowY) / Math.max(1, highX - lowX));
    }

    private void print(FittedCost cost, Results results) {
        Table table = new Table("tokens of a step", "ms");
        for (int i = 0; i < cost.tokens().length; i++) {
            double ms = cost.nanos()[i] / 1e6;
            table.row(Long.toString(cost.tokens()[i]), String.format(Locale.ROOT, "%.3f", ms));
            results.put("fit_tokens_" + cost.tokens()[i] + "_ms", ms, "ms");
        }
        table.print(out);
        results.put("fit_row_us", cost.rowNanos() / 1e3, "us");
        results.put("fit_pair_ns", cost.pairNanos(), "ns");
        results.put("fit_read_ns", cost.readNanos(), "ns");
    }

    /** Prompts and answers of all lengths at once. */
    private void judge(EngineTarget target, RandomPrompts prompts, FittedCost cost, Results results)
            throws Exception {
        steps.clear();
        int[] lengths = new int[MIXED];
        Arrays.setAll(lengths, i -> SHORT + i * i * (context / 2 - SHORT) / (MIXED * MIXED));
        together(target, prompts, lengths, OUTPUT);
        double predicted = 0;
        double measured = 0;
        for (Step step : steps) {
            predicted += cost.nanos(step.work());
            measured += step.nanos;
        }
        out.printf(
                Locale.ROOT,
                "%n%d other steps took %.2f s, predicted %.2f s; written: %s%n",
                steps.size(),
                measured / 1e9,
                predicted / 1e9,
                file);
        results.put("fit_predicted_over_measured", predicted / measured, "ratio");
    }

    private List<Step> where(Predicate<Step> holds) {
        List<Step> found = steps.stream().filter(holds).toList();
        if (found.isEmpty()) {
            throw new BenchException("no step of the wanted shape was seen: steps=" + steps.size());
        }
        return found;
    }

    private static double median(List<Step> steps, ToDoubleFunction<Step> of) {
        return Summary.of(steps.stream().mapToDouble(of).toArray()).median();
    }

    private static void together(
            EngineTarget target, RandomPrompts prompts, int[] lengths, int output)
            throws Exception {
        List<Future<Outcome>> all = new ArrayList<>();
        try (ExecutorService callers = Executors.newVirtualThreadPerTaskExecutor()) {
            for (int length : lengths) {
                int[] prompt = prompts.next(length);
                all.add(callers.submit(() -> target.run(prompt, output)));
            }
            for (Future<Outcome> future : all) {
                if (future.get().error() != null) {
                    throw new BenchException("a request failed: " + future.get().error());
                }
            }
        }
    }
}
