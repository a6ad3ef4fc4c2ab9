package io.cortado.bench;

import io.cortado.api.Engine;
import io.cortado.api.EngineException;
import io.cortado.api.EngineOptions;
import io.cortado.api.EnginePlan;
import io.cortado.api.PlanLoad;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** How far predictions are off: of what {@code plan} says over what the engine then does. */
@Command(
        name = "plan",
        description =
                "Predicted TTFT and TPOT over measured ones, by rates measured just before; without"
                        + " a model one of 0.5 B parameters with random weights.",
        mixinStandardHelpOptions = true)
final class PlanBench extends BenchCommand {
    private static final double TPOT_TARGET = 0.15;
    private static final double TTFT_TARGET = 0.25;
    private static final Pattern LOAD = Pattern.compile("(\\d{1,7})/(\\d{1,7})/(\\d{1,5})");

    /** Until the first request's step is under way, and less than it takes. */
    private static final int FIRST_ALONE_MS = 5;

    @Option(
            names = "--loads",
            split = ",",
            paramLabel = "PROMPT/OUTPUT/REQUESTS",
            description = "requests that come at once; default: ${DEFAULT-VALUE}")
    List<String> loads =
            List.of("32/32/1", "512/16/1", "1536/16/1", "64/32/4", "64/32/16", "256/24/8");

    @Option(
            names = "--cached-rates",
            description = "predict by the rates of the user's cache rather than measure them now")
    boolean cachedRates;

    /** What was measured of a load, in milliseconds: the median over the runs. */
    private record Measured(double ttft, double tpot) {}

    @Override
    void run(Results results) throws Exception {
        List<PlanLoad> asked = loads.stream().map(PlanBench::load).toList();
        boolean isNamed = model != null || engine.dummyWeights != null;
        EngineOptions options =
                engine.options().dummyWeights(!isNamed || engine.dummyWeights != null);
        Path folder = isNamed ? engine.modelFolder(model) : Shapes.halfBillion();
        Engine.rates(options, !cachedRates);
        List<EnginePlan> plans = new ArrayList<>();
        for (PlanLoad load : asked) {
            EnginePlan plan = Engine.plan(folder, options, load);
            if (plan.prediction() == null) {
                EnginePlan.Refusal refusal = plan.refusal();
                throw new BenchException(
                        refusal == null
                                ? "nothing is predicted for this device: " + plan.device()
                                : refusal.message());
            }
            plans.add(plan);
        }
        Table table =
                new Table(
                        "prompt/output/requests",
                        "TTFT ms",
                        "predicted",
                        "over",
                        "TPOT ms",
                        "predicted",
                        "over");
        double worstTtft = 0;
        double worstTpot = 0;
        try (EngineTarget target = new EngineTarget(Engine.open(folder, options))) {
            RandomPrompts prompts = new RandomPrompts(target.vocabSize(), seed);
            for (EnginePlan plan : plans) {
                Measured measured = measure(target, prompts, plan.load());
                EnginePlan.Prediction predicted = predicted(plan);
                row(table, results, plan.load(), predicted, measured);
                worstTtft = Math.max(worstTtft, error(predicted.ttftMs(), measured.ttft));
                if (plan.load().outputTokens() > 1) {
                    worstTpot = Math.max(worstTpot, error(predicted.tpotMs(), measured.tpot));
                }
            }
        }
        table.print(out);
        out.printf(
                Locale.ROOT,
                "the worst is off by %.0f%% in TTFT (target %.0f%%) and %.0f%% in TPOT (target %.0f%%)%n",
                100 * worstTtft,
                100 * TTFT_TARGET,
                100 * worstTpot,
                100 * TPOT_TARGET);
        results.put("plan_worst_ttft_error", worstTtft, "ratio");
        results.put("plan_worst_tpot_error", worstTpot, "ratio");
    }

    private static PlanLoad load(String text) {
        Matcher matcher = LOAD.matcher(text);
        if (!matcher.matches()) {
            throw new BenchException(
                    "--loads must be PROMPT/OUTPUT/REQUESTS, as 512/64/1: loads=" + text);
        }
        return new PlanLoad(
                Integer.parseInt(matcher.group(1)),
                Integer.parseInt(matcher.group(2)),
                Integer.parseInt(matcher.group(3)));
    }

    private static EnginePlan.Prediction predicted(EnginePlan plan) {
        EnginePlan.Prediction prediction = plan.prediction();
        if (prediction == null) {
            throw new EngineException(EngineException.Code.INTERNAL, "a load without a prediction");
        }
        return prediction;
    }

    private static double error(double predicted, double measured) {
        return Math.abs(predicted / measured - 1);
    }

    private Measured measure(EngineTarget target, RandomPrompts prompts, PlanLoad load)
            throws InterruptedException, ExecutionException {
        together(target, prompts, new PlanLoad(16, 4, load.concurrency())); // graphs are recorded
        double[] ttft = new double[runs];
        double[] tpot = new double[runs];
        for (int run = 0; run < runs; run++) {
            List<Outcome> outcomes = together(target, prompts, load);
            ttft[run] = outcomes.stream().mapToLong(Outcome::firstNanos).average().orElse(0) / 1e6;
            tpot[run] = outcomes.stream().mapToDouble(Outcome::tpotNanos).average().orElse(0) / 1e6;
        }
        return new Measured(Summary.of(ttft).median(), Summary.of(tpot).median());
    }

    private static List<Outcome> together(EngineTarget target, RandomPrompts prompts, PlanLoad load)
            throws InterruptedException, ExecutionException {
        List<Outcome> outcomes = new ArrayList<>();
        try (ExecutorService callers = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<Outcome>> running = new ArrayList<>();
            for (int i = 0; i < load.concurrency(); i++) {
                int[] prompt = prompts.next(load.promptTokens());
                running.add(callers.submit(() -> target.run(prompt, load.outputTokens())));
                if (i == 0) {
                    Thread.sleep(FIRST_ALONE_MS); // as the plan has it: chance shall not decide
                }
            }
            for (Future<Outcome> future : running) {
                Outcome outcome = future.get();
                if (outcome.error() != null) {
                    throw new BenchException("a request failed: " + outcome.error());
                }
                outcomes.add(outcome);
            }
        }
        return outcomes;
    }

    private static void row(
            Table table,
            Results results,
            PlanLoad load,
            EnginePlan.Prediction predicted,
            Measured measured) {
        String name = load.promptTokens() + "/" + load.outputTokens() + "/" + load.concurrency();
        String metric = "plan_" + name.replace('/', '_');
        double ttft = predicted.ttftMs() / measured.ttft;
        results.put(metric + "_ttft_predicted_over_measured", ttft, "ratio");
        boolean hasTpot = load.outputTokens() > 1;
        double tpot = hasTpot ? predicted.tpotMs() / measured.tpot : 1;
        if (hasTpot) {
            results.put(metric + "_tpot_predicted_over_measured", tpot, "ratio");
        }
        table.row(
                name,
                text("%.1f", measured.ttft),
                text("%.1f", predicted.ttftMs()),
                text("%.2f", ttft),
                text("%.2f", measured.tpot),
                text("%.2f", predicted.tpotMs()),
                hasTpot ? text("%.2f", tpot) : "-");
    }

    private static String text(String format, double value) {
        return String.format(Locale.ROOT, format, value);
    }
}
