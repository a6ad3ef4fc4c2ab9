package io.cortado.bench;

import io.cortado.api.Engine;
import io.cortado.api.EngineOptions;
import io.cortado.api.EngineStats;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** How much an engine does when everything is there at once. */
@Command(
        name = "throughput",
        description = "Offline: N requests handed over at once.",
        mixinStandardHelpOptions = true)
final class ThroughputBench extends BenchCommand {
    @Option(names = "--num-prompts", description = "requests")
    int numPrompts = 128;

    @Option(names = "--prompt-len", description = "tokens of each prompt")
    int promptLen = 128;

    @Option(names = "--output-len", description = "tokens of each output")
    int outputLen = 64;

    @Option(names = "--batch", description = "sequences at once; 0: --max-num-seqs")
    int batch;

    @Override
    void run(Results results) throws Exception {
        require(
                numPrompts >= 1 && numPrompts <= 1_000_000,
                "num-prompts",
                "in [1, 1e6]",
                numPrompts);
        require(batch >= 0 && batch <= 4096, "batch", "in [0, 4096]", batch);
        EngineOptions options =
                engine.options()
                        .maxWaiting(Math.max(numPrompts, EngineOptions.defaults().maxWaiting()))
                        .maxNumSeqs(batch == 0 ? engine.maxNumSeqs : batch);
        try (EngineTarget target = new EngineTarget(engine.open(model, options))) {
            Engine served = target.engine();
            RandomPrompts.requireFits(served.model(), promptLen, outputLen);
            RandomPrompts prompts = new RandomPrompts(served.model().vocabSize(), seed);
            target.run(prompts.next(promptLen), outputLen);
            double[] seconds = new double[runs];
            EngineStats before = served.stats();
            for (int run = 0; run < runs; run++) {
                seconds[run] = all(target, prompts);
            }
            report(Summary.of(seconds), before, served.stats(), results);
        }
    }

    private double all(EngineTarget target, RandomPrompts prompts)
            throws InterruptedException, ExecutionException {
        List<int[]> inputs = new ArrayList<>();
        for (int i = 0; i < numPrompts; i++) {
            inputs.add(prompts.next(promptLen));
        }
        long begin = System.nanoTime();
        try (ExecutorService callers = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<Outcome>> running =
                    inputs.stream()
                            .map(ids -> callers.submit(() -> target.run(ids, outputLen)))
                            .toList();
            for (Future<Outcome> future : running) {
                Outcome outcome = future.get();
                if (outcome.error() != null) {
                    throw new BenchException("a request failed: " + outcome.error());
                }
            }
        }
        return (System.nanoTime() - begin) / 1e9;
    }

    private void report(Summary seconds, EngineStats before, EngineStats after, Results results) {
        double steps = after.steps() - before.steps();
        double meanBatch = (after.scheduledSeqs() - before.scheduledSeqs()) / steps;
        double hostMicros = (after.hostNanos() - before.hostNanos()) / steps / 1e3;
        double output = (double) numPrompts * outputLen / seconds.median();
        double total = (double) numPrompts * (promptLen + outputLen) / seconds.median();
        new Table(
                        "requests",
                        "seconds",
                        "output tok/s",
                        "total tok/s",
                        "mean batch",
                        "host us/step")
                .row(
                        Integer.toString(numPrompts),
                        seconds.text("%.2f"),
                        String.format(Locale.ROOT, "%.1f", output),
                        String.format(Locale.ROOT, "%.1f", total),
                        String.format(Locale.ROOT, "%.1f", meanBatch),
                        String.format(Locale.ROOT, "%.1f", hostMicros))
                .print(out);
        results.put("throughput_requests_s", numPrompts / seconds.median(), "req/s");
        results.put("throughput_output_tok_s", output, "tok/s");
        results.put("throughput_total_tok_s", total, "tok/s");
        results.put("throughput_mean_batch", meanBatch, "seqs");
        results.put("throughput_preemptions", after.preemptions() - before.preemptions(), "count");
    }
}
