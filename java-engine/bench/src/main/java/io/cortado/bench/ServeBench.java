package io.cortado.bench;

import io.cortado.api.EngineOptions;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.ToDoubleFunction;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** What callers see under load: an open loop with Poisson arrivals. */
@Command(
        name = "serve",
        description = "Open loop: Poisson arrivals, latencies from the scheduled time, goodput.",
        mixinStandardHelpOptions = true)
final class ServeBench extends BenchCommand {
    @Option(names = "--url", description = "of a server; default: an engine in this process")
    @Nullable String url;

    @Option(names = "--request-rate", description = "requests per second")
    double requestRate = 4;

    @Option(names = "--num-prompts", description = "requests")
    int numPrompts = 100;

    @Option(names = "--prompt-len", description = "tokens of each prompt")
    int promptLen = 128;

    @Option(names = "--output-len", description = "tokens of each output")
    int outputLen = 32;

    @Option(names = "--vocab-size", description = "ids below this in prompts; with --url")
    int vocabSize = 256;

    @Option(
            names = "--goodput",
            arity = "1..3",
            paramLabel = "MEASURE:MS",
            description = "ttft:MS tpot:MS e2e:MS: a request that keeps all of them is good")
    List<String> goodput = new ArrayList<>();

    @Option(names = "--max-send-lag", description = "ms; a generator that lags more is no judge")
    double maxSendLagMs = 50;

    @Override
    void run(Results results) throws Exception {
        require(requestRate > 0, "request-rate", "positive", requestRate);
        require(
                numPrompts >= 1 && numPrompts <= 1_000_000,
                "num-prompts",
                "in [1, 1e6]",
                numPrompts);
        require(promptLen >= 1, "prompt-len", "positive", promptLen);
        require(outputLen >= 1, "output-len", "positive", outputLen);
        require(vocabSize >= 1, "vocab-size", "positive", vocabSize);
        List<Slo> slos = goodput.stream().map(Slo::parse).toList();
        try (Target target = target()) {
            RandomPrompts prompts = new RandomPrompts(target.vocabSize(), seed);
            List<int[]> inputs = new ArrayList<>();
            for (int i = 0; i < numPrompts; i++) {
                inputs.add(prompts.next(promptLen));
            }
            Outcome warm = target.run(prompts.next(promptLen), outputLen);
            if (warm.error() != null) {
                throw new BenchException("the first request failed: " + warm.error());
            }
            long[] arrivals = PoissonArrivals.schedule(numPrompts, requestRate, seed);
            long begin = System.nanoTime();
            List<OpenLoop.Sent> sent = OpenLoop.run(target, arrivals, inputs, outputLen);
            report(sent, (System.nanoTime() - begin) / 1e9, slos, results);
        }
    }

    private Target target() throws Exception {
        if (url != null) {
            require(model == null, "url", "used without MODEL", url);
            return new HttpTarget(url, vocabSize);
        }
        EngineOptions options =
                engine.options()
                        .maxWaiting(Math.max(numPrompts, EngineOptions.defaults().maxWaiting()));
        EngineTarget target = new EngineTarget(engine.open(model, options));
        try {
            RandomPrompts.requireFits(target.engine().model(), promptLen, outputLen);
        } catch (BenchException e) {
            target.close();
            throw e;
        }
        return target;
    }

    private void report(List<OpenLoop.Sent> sent, double seconds, List<Slo> slos, Results results) {
        List<OpenLoop.Sent> ended = sent.stream().filter(s -> s.outcome().error() == null).toList();
        sent.stream()
                .map(s -> s.outcome().error())
                .filter(error -> error != null)
                .distinct()
                .forEach(error -> out.println("failed: " + error));
        if (ended.isEmpty()) {
            throw new BenchException("every request failed: requests=" + sent.size());
        }
        Table table = new Table("ms", "p50", "p90", "p99", "max");
        percentiles("ttft", ended, OpenLoop.Sent::ttftMs, table, results);
        if (outputLen > 1) {
            percentiles("tpot", ended, OpenLoop.Sent::tpotMs, table, results);
        }
        percentiles("e2e", ended, OpenLoop.Sent::e2eMs, table, results);
        percentiles("send_lag", sent, s -> s.lagNanos() / 1e6, table, results);
        table.print(out);
        long good =
                ended.stream()
                        .filter(s ->
                                slos.stream()
                                        .allMatch(slo ->
                                                slo.keeps(s.ttftMs(), s.tpotMs(), s.e2eMs())))
                        .count();
        long tokens = ended.stream().mapToLong(s -> s.outcome().tokens()).sum();
        results.put("serve_offered_rate", requestRate, "req/s");
        results.put("serve_completed", ended.size(), "requests");
        results.put("serve_failed", sent.size() - ended.size(), "requests");
        results.put("serve_requests_s", ended.size() / seconds, "req/s");
        results.put("serve_output_tok_s", tokens / seconds, "tok/s");
        if (!slos.isEmpty()) {
            results.put("serve_goodput", good / seconds, "req/s");
            results.put("serve_good_share", (double) good / sent.size(), "share");
        }
        check(sent, ended.size(), results);
    }

    private void check(List<OpenLoop.Sent> sent, int ended, Results results) {
        double lag =
                Summary.of(sent.stream().mapToDouble(s -> s.lagNanos() / 1e6).toArray())
                        .percentile(0.99);
        if (lag > maxSendLagMs) {
            results.fail(
                    String.format(
                            Locale.ROOT,
                            "the load generator lagged behind its schedule: p99=%.1f ms limit=%.1f"
                                    + " ms",
                            lag,
                            maxSendLagMs));
        }
        if (ended < sent.size()) {
            results.fail("requests failed: failed=" + (sent.size() - ended));
        }
    }

    private static void percentiles(
            String name,
            List<OpenLoop.Sent> sent,
            ToDoubleFunction<OpenLoop.Sent> value,
            Table table,
            Results results) {
        Summary summary = Summary.of(sent.stream().mapToDouble(value).toArray());
        double[] shares = {0.5, 0.9, 0.99, 1};
        String[] labels = {"p50", "p90", "p99", "max"};
        String[] cells = new String[shares.length + 1];
        cells[0] = name;
        for (int i = 0; i < shares.length; i++) {
            double at = summary.percentile(shares[i]);
            cells[i + 1] = String.format(Locale.ROOT, "%.2f", at);
            results.put("serve_" + name + "_" + labels[i] + "_ms", at, "ms");
        }
        table.row(cells);
    }
}
