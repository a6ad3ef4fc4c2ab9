package io.cortado.bench;

import io.cortado.bench.sim.MoeShapes;
import io.cortado.layout.LayoutCost;
import io.cortado.layout.LayoutModel;
import io.cortado.layout.LayoutPlan;
import io.cortado.layout.LayoutSearch;
import io.cortado.layout.RankDevice;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code bench scale}: what layouts of many GPUs would give, counted and not measured. */
@Command(
        name = "scale",
        description =
                "Decoding on many H100 by layout, counted by bytes and operations: tensor parallel,"
                        + " expert parallel, attention and experts apart.",
        mixinStandardHelpOptions = true)
final class ScaleBench implements Callable<Integer> {
    @Option(names = "--context", description = "tokens that an answer attends to, on average")
    double context = 1_000;

    @Option(names = "--tpot-ms", description = "the most between two tokens of an answer")
    double tpotMs = 50;

    @Option(names = "--balance", description = "mean by greatest load of ranks with experts")
    double balance = 0.95;

    @Option(names = "--json", paramLabel = "FILE", description = "the results as JSON as well")
    @Nullable Path json;

    @Override
    public Integer call() throws Exception {
        try {
            BenchCommand.require(context >= 1 && context <= 1e7, "context", "1 to 1e7", context);
            BenchCommand.require(tpotMs > 0 && tpotMs <= 1e5, "tpot-ms", "in (0, 1e5]", tpotMs);
            BenchCommand.require(balance > 0 && balance <= 1, "balance", "in (0, 1]", balance);
        } catch (BenchException e) {
            System.err.println("error: " + e.getMessage());
            return 2;
        }
        var results = new Results();
        var table =
                new Table("model", "layout", "GPUs", "batch", "TPOT ms", "idle", "tokens/s/GPU");
        for (LayoutModel model : MoeShapes.all()) {
            LayoutSearch search =
                    new LayoutSearch(
                            RankDevice.H100,
                            model,
                            new LayoutCost(RankDevice.H100, model, (_, _) -> balance, 0),
                            new LayoutSearch.Limits(context, tpotMs / 1e3));
            LayoutPlan tensor = search.tensorParallel();
            LayoutPlan expert = search.expertParallel();
            LayoutPlan apart = search.fastestApart();
            String name = MoeShapes.metric(model);
            add(model, name + "_tp", tensor, table, results);
            add(model, name + "_ep", expert, table, results);
            add(model, name + "_apart", apart, table, results);
            if (tensor != null && expert != null && apart != null) {
                double overTensor = apart.perRank() / tensor.perRank();
                double overExpert = apart.perRank() / expert.perRank();
                results.put("scale_" + name + "_apart_over_tp", overTensor, "ratio");
                results.put("scale_" + name + "_apart_over_ep", overExpert, "ratio");
            }
        }
        table.print(System.out);
        System.out.println();
        results.print(System.out);
        if (json != null) {
            results.writeJson(json);
        }
        return 0;
    }

    private static void add(
            LayoutModel model,
            String name,
            @Nullable LayoutPlan plan,
            Table table,
            Results results) {
        if (plan == null) {
            table.row(model.name(), name + ": none fits", "", "", "", "", "");
            return;
        }
        results.put("scale_" + name, plan.perRank(), "tokens/s/GPU");
        table.row(
                model.name(),
                plan.layout().text(),
                String.valueOf(plan.layout().ranks()),
                number(plan.batch(), 0),
                number(plan.times().step() * 1e3, 1),
                number(plan.idle(), 2),
                number(plan.perRank(), 0));
    }

    private static String number(double value, int digits) {
        return String.format(Locale.ROOT, "%." + digits + "f", value);
    }
}
