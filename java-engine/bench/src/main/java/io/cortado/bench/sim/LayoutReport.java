package io.cortado.bench.sim;

import io.cortado.bench.Results;
import io.cortado.bench.Summary;
import io.cortado.bench.Table;
import io.cortado.layout.Layout;
import io.cortado.layout.LayoutModel;
import java.io.PrintStream;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** What is printed of a trace on layouts: shapes and layouts below each other. */
public final class LayoutReport {
    private final Table table =
            new Table(
                    "shape",
                    "layout",
                    "GPUs",
                    "K tokens held",
                    "req/s",
                    "tokens/s/GPU",
                    "TTFT p50 s",
                    "p99",
                    "TPOT p50 ms",
                    "p99",
                    "batch a GPU",
                    "good",
                    "idle attention",
                    "experts");

    /**
     * @param text of the layout, as asked for
     */
    public void add(
            LayoutModel model, String text, LayoutSim.@Nullable Outcome outcome, Results results) {
        if (outcome == null || outcome.requests().ended() == 0) {
            table.row(
                    model.name(), text + ": never", "", "", "", "", "", "", "", "", "", "", "", "");
            return;
        }
        Layout layout = outcome.layout();
        Summary ttft = Summary.of(outcome.requests().ttftMs());
        double[] between = outcome.requests().tpotMs();
        Summary tpot = Summary.of(between.length == 0 ? new double[1] : between);
        double batch = outcome.requests().meanBatch() * outcome.width() / layout.ranks();
        table.row(
                model.name(),
                ranks(layout),
                String.valueOf(layout.ranks()),
                number("%,.0f", outcome.kvTokens() / 1e3),
                number("%.1f", outcome.requestsPerSecond()),
                number("%,.0f", outcome.tokensPerDevice()),
                number("%.2f", ttft.median() / 1e3),
                number("%.2f", ttft.percentile(0.99) / 1e3),
                number("%.1f", tpot.median()),
                number("%.1f", tpot.percentile(0.99)),
                number("%.0f", batch),
                number("%.1f%%", 100 * outcome.good()),
                number("%.2f", outcome.steps().attentionIdle()),
                number("%.2f", outcome.steps().expertIdle()));
        String metric = "sim_%s_%s_".formatted(MoeShapes.metric(model), text.replace(':', '_'));
        results.put(metric + "gpus", layout.ranks(), "count");
        results.put(metric + "tokens_s_gpu", outcome.tokensPerDevice(), "tokens/s/GPU");
        results.put(metric + "requests_s", outcome.requestsPerSecond(), "req/s");
        for (double p : new double[] {0.5, 0.99}) {
            String at = "_p" + Math.round(100 * p) + "_ms";
            results.put(metric + "ttft" + at, ttft.percentile(p), "ms");
            results.put(metric + "tpot" + at, tpot.percentile(p), "ms");
        }
        results.put(metric + "goodput", outcome.good(), "ratio");
        results.put(metric + "attention_idle", outcome.steps().attentionIdle(), "ratio");
        results.put(metric + "expert_idle", outcome.steps().expertIdle(), "ratio");
    }

    private static String ranks(Layout layout) {
        return switch (layout) {
            case Layout.Tensor(int ranks) -> "TP " + ranks;
            case Layout.Spread(int ranks, int _) -> "EP " + ranks;
            case Layout.Apart apart ->
                    "%d attention : %d experts"
                            .formatted(apart.attentionRanks(), apart.expertRanks());
        };
    }

    public void print(PrintStream out) {
        table.print(out);
    }

    private static String number(String format, double value) {
        return String.format(Locale.ROOT, format, value);
    }
}
