package io.cortado.bench.sim;

import io.cortado.api.EngineOptions.SchedulingPolicy;
import io.cortado.bench.Results;
import io.cortado.bench.Summary;
import io.cortado.bench.Table;
import io.cortado.bench.traces.LengthFacts;
import io.cortado.bench.traces.Trace;
import java.io.PrintStream;
import java.util.Locale;

/** What is printed of a simulation: policies side by side. */
public final class SimReport {
    private final Trace trace;
    private final PrintStream out;
    private final Table times =
            new Table(
                    "policy",
                    "TTFT p50 s",
                    "p99",
                    "interactive p99",
                    "TPOT p50 ms",
                    "p99",
                    "e2e p50 s",
                    "p99",
                    "good",
                    "good req/s");
    private final Table engines =
            new Table(
                    "policy",
                    "ended",
                    "refused",
                    "busy",
                    "blocks used",
                    "mean batch",
                    "prefix hits",
                    "from host",
                    "preemptions",
                    "fairness");

    public SimReport(Trace trace, SimSetup setup, String cost, PrintStream out) {
        this.trace = trace;
        this.out = out;
        LengthFacts inputs = LengthFacts.of(trace.inputs());
        LengthFacts outputs = LengthFacts.of(trace.outputs());
        out.printf(
                Locale.ROOT,
                "trace: %s, %,d requests in %,.0f s, %d tenants; input mean %.0f p99 %d, output mean"
                        + " %.0f p99 %d%n",
                trace.name(),
                trace.size(),
                trace.durationNanos() / 1e9,
                trace.tenantNames().size(),
                inputs.mean(),
                inputs.p99(),
                outputs.mean(),
                outputs.p99());
        out.printf(
                Locale.ROOT,
                "engines: %d of %,d + %,d host blocks, %d sequences, %,d tokens a step, router %s%n",
                setup.replicas(),
                setup.kvBlocks(),
                setup.hostBlocks(),
                setup.options().maxNumSeqs(),
                setup.options().maxNumBatchedTokens(),
                setup.router().name().toLowerCase(Locale.ROOT).replace('_', '-'));
        out.println("device: " + cost);
        out.printf(
                Locale.ROOT,
                "targets: TTFT %d ms, TPOT %d ms; ten times that for %.0f%% of the requests%n%n",
                setup.ttftMs(),
                setup.tpotMs(),
                100 * setup.batchShare());
    }

    public void add(SchedulingPolicy policy, Outcomes outcomes, Results results) {
        String name = policy.name().toLowerCase(Locale.ROOT);
        if (outcomes.ended() > 0) {
            addTimes(name, outcomes, results);
        }
        addEngines(name, outcomes, results);
    }

    private void addTimes(String name, Outcomes outcomes, Results results) {
        Summary ttft = Summary.of(outcomes.ttftMs());
        Summary interactive = orZero(outcomes.interactiveTtftMs());
        Summary tpot = orZero(outcomes.tpotMs());
        Summary e2e = Summary.of(outcomes.e2eMs());
        double seconds = outcomes.durationNanos() / 1e9;
        double good = (double) outcomes.good() / trace.size();
        times.row(
                name,
                number("%.2f", ttft.median() / 1e3),
                number("%.2f", ttft.percentile(0.99) / 1e3),
                number("%.2f", interactive.percentile(0.99) / 1e3),
                number("%.1f", tpot.median()),
                number("%.1f", tpot.percentile(0.99)),
                number("%.2f", e2e.median() / 1e3),
                number("%.2f", e2e.percentile(0.99) / 1e3),
                number("%.1f%%", 100 * good),
                number("%.2f", outcomes.good() / seconds));
        String metric = "sim_" + name + "_";
        for (double p : new double[] {0.5, 0.9, 0.99}) {
            String at = "_p" + Math.round(100 * p) + "_ms";
            results.put(metric + "ttft" + at, ttft.percentile(p), "ms");
            results.put(metric + "tpot" + at, tpot.percentile(p), "ms");
            results.put(metric + "e2e" + at, e2e.percentile(p), "ms");
        }
        results.put(metric + "interactive_ttft_p99_ms", interactive.percentile(0.99), "ms");
        results.put(
                metric + "queued_p99_ms", Summary.of(outcomes.queuedMs()).percentile(0.99), "ms");
        results.put(metric + "goodput", good, "ratio");
        results.put(metric + "good_requests_s", outcomes.good() / seconds, "req/s");
    }

    private static Summary orZero(double[] sample) {
        return Summary.of(sample.length == 0 ? new double[1] : sample);
    }

    private void addEngines(String name, Outcomes outcomes, Results results) {
        int refused = outcomes.refusedAsFull() + outcomes.refusedAsTooLong();
        engines.row(
                name,
                Integer.toString(outcomes.ended()),
                Integer.toString(refused),
                number("%.1f%%", 100 * outcomes.utilisation()),
                number("%.1f%%", 100 * outcomes.usedBlocks()),
                number("%.1f", outcomes.meanBatch()),
                number("%.1f%%", 100 * outcomes.hitRatio()),
                number("%.1f%%", 100 * outcomes.hostShare()),
                Long.toString(outcomes.preemptions()),
                number("%.3f", outcomes.fairness()));
        String metric = "sim_" + name + "_";
        results.put(metric + "ended", outcomes.ended(), "requests");
        results.put(metric + "refused_full", outcomes.refusedAsFull(), "requests");
        results.put(metric + "refused_too_long", outcomes.refusedAsTooLong(), "requests");
        results.put(metric + "utilisation", outcomes.utilisation(), "ratio");
        results.put(metric + "blocks_used", outcomes.usedBlocks(), "ratio");
        results.put(metric + "mean_batch", outcomes.meanBatch(), "seqs");
        results.put(metric + "steps", outcomes.steps(), "count");
        results.put(metric + "prefix_hit_ratio", outcomes.hitRatio(), "ratio");
        results.put(metric + "host_hit_share", outcomes.hostShare(), "ratio");
        results.put(metric + "evictions", outcomes.evictions(), "blocks");
        results.put(metric + "preemptions", outcomes.preemptions(), "count");
        results.put(metric + "fairness", outcomes.fairness(), "ratio");
    }

    /** Both tables. */
    public void print() {
        times.print(out);
        out.println();
        engines.print(out);
    }

    private static String number(String format, double value) {
        return String.format(Locale.ROOT, format, value);
    }
}
