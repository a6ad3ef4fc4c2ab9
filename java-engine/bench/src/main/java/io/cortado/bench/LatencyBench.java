package io.cortado.bench;

import io.cortado.api.Engine;
import io.cortado.bench.llamacpp.BlockWeights;
import io.cortado.bench.llamacpp.LlamaCppComparison;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** How long one request takes alone, or a few at once. */
@Command(
        name = "latency",
        description = "TTFT, TPOT, prefill and decode tokens/s of a single stream.",
        mixinStandardHelpOptions = true)
final class LatencyBench extends BenchCommand {
    private static final String LLAMA_CPP = "llamacpp";

    @Option(names = "--prompt-len", description = "tokens of the prompt")
    int promptLen = 512;

    @Option(names = "--output-len", description = "tokens of the output")
    int outputLen = 64;

    @Option(names = "--batch", description = "requests at once")
    int batch = 1;

    @Option(
            names = "--vs",
            paramLabel = "PEER",
            description = "llamacpp: the same weights in llama.cpp, in the same run")
    @Nullable String vs;

    @Option(
            names = "--weights",
            paramLabel = "FORMAT",
            description = "beside --vs: bf16, q8_0, q4_0 or q4_k; default: ${DEFAULT-VALUE}")
    String weights = "bf16";

    @Override
    void run(Results results) throws Exception {
        require(batch >= 1 && batch <= 4096, "batch", "in [1, 4096]", batch);
        require(vs == null || vs.equals(LLAMA_CPP), "vs", LLAMA_CPP, String.valueOf(vs));
        if (vs != null) {
            compare(results);
            return;
        }
        require(weights.equals("bf16"), "weights", "used beside --vs", weights);
        try (EngineTarget target =
                new EngineTarget(
                        engine.open(
                                model,
                                engine.options().maxNumSeqs(Math.max(batch, engine.maxNumSeqs))))) {
            measure(target, results);
        }
    }

    private void compare(Results results) throws Exception {
        require(model == null, "vs", "used with --dummy-weights or alone", LLAMA_CPP);
        require(batch == 1, "batch", "1 beside --vs", batch);
        require(promptLen >= 1, "prompt-len", "positive", promptLen);
        require(outputLen >= 2, "output-len", "at least 2", outputLen);
        LlamaCppComparison.Setup setup =
                new LlamaCppComparison.Setup(
                        engine.dummyWeights,
                        LlamaCppComparison.Bundled.DENSE,
                        BlockWeights.of(weights),
                        engine.options().dummyWeights(false),
                        promptLen,
                        outputLen,
                        runs,
                        seed);
        LlamaCppComparison.run(setup, results, out);
    }

    private void measure(EngineTarget target, Results results) throws Exception {
        Engine served = target.engine();
        RandomPrompts.requireFits(served.model(), promptLen, outputLen);
        RandomPrompts prompts = new RandomPrompts(served.model().vocabSize(), seed);
        out.printf(
                "model: %s, %,d parameters, %s%n",
                served.model().name(), served.model().parameters(), served.model().device());
        together(target, prompts);
        double[] ttft = new double[runs];
        double[] tpot = new double[runs];
        double[] e2e = new double[runs];
        for (int run = 0; run < runs; run++) {
            List<Outcome> outcomes = together(target, prompts);
            ttft[run] = outcomes.stream().mapToLong(Outcome::firstNanos).max().orElseThrow() / 1e6;
            tpot[run] =
                    outcomes.stream().mapToDouble(Outcome::tpotNanos).average().orElseThrow() / 1e6;
            e2e[run] = outcomes.stream().mapToLong(Outcome::endNanos).max().orElseThrow() / 1e6;
        }
        report(Summary.of(ttft), Summary.of(tpot), Summary.of(e2e), results);
    }

    private List<Outcome> together(EngineTarget target, RandomPrompts prompts)
            throws InterruptedException, ExecutionException {
        List<Outcome> outcomes = new ArrayList<>();
        try (ExecutorService callers = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<Outcome>> running = new ArrayList<>();
            for (int i = 0; i < batch; i++) {
                int[] prompt = prompts.next(promptLen);
                running.add(callers.submit(() -> target.run(prompt, outputLen)));
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

    private void report(Summary ttft, Summary tpot, Summary e2e, Results results) {
        double prefill = batch * promptLen / ttft.median() * 1e3;
        Table table = new Table("prompt/output/batch", "TTFT ms", "TPOT ms", "e2e ms", "prefill");
        table.row(
                promptLen + "/" + outputLen + "/" + batch,
                ttft.text("%.2f"),
                tpot.text("%.3f"),
                e2e.text("%.1f"),
                String.format(Locale.ROOT, "%.1f tok/s", prefill));
        table.print(out);
        results.put("ttft_ms", ttft.median(), "ms");
        results.put("e2e_ms", e2e.median(), "ms");
        results.put("prefill_tok_s", prefill, "tok/s");
        if (outputLen > 1) {
            results.put("tpot_ms", tpot.median(), "ms");
            results.put("decode_tok_s", batch * 1e3 / tpot.median(), "tok/s");
        }
    }
}
