package io.cortado.bench;

import static io.cortado.bench.BenchCommand.require;

import io.cortado.bench.sim.ExpertSkew;
import io.cortado.bench.sim.LayoutReport;
import io.cortado.bench.sim.LayoutSim;
import io.cortado.bench.sim.LayoutText;
import io.cortado.bench.sim.MoeShapes;
import io.cortado.bench.sim.SimSetup;
import io.cortado.bench.traces.LengthFacts;
import io.cortado.bench.traces.Trace;
import io.cortado.layout.Layout;
import io.cortado.layout.LayoutCost;
import io.cortado.layout.LayoutModel;
import io.cortado.layout.LayoutSearch;
import io.cortado.layout.RankDevice;
import java.io.PrintStream;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Flags of a simulation of layouts over many GPUs; all of them go with {@code --layout}. */
final class LayoutFlags {
    private static final int MOST_REDUNDANT = 16;

    @Option(
            names = "--layout",
            required = true,
            split = ",",
            paramLabel = "LAYOUT",
            description =
                    "instead of policies: a trace for each rank with attention of tp:N, ep:N,"
                            + " apart:A:E or apart:A:E:M H100s; tp, ep or apart alone: the best by"
                            + " counting")
    List<String> layouts = List.of();

    @Option(
            names = "--shape",
            split = ",",
            paramLabel = "NAME",
            description = "qwen3-30b-a3b, mixtral-8x22b, deepseek-v3; default: all")
    List<String> shapes = MoeShapes.all().stream().map(LayoutModel::name).toList();

    @Option(
            names = "--find-rate",
            paramLabel = "SHARE",
            description =
                    "the highest rate at which this share of the requests keeps its targets, instead"
                            + " of --rate-scale")
    @Nullable Double share;

    @Option(
            names = "--prefill",
            paramLabel = "WHERE",
            description = "here, or elsewhere: prompts come with their keys and values")
    Prefill prefill = Prefill.HERE;

    @Option(names = "--zipf", description = "skew of the choices of experts")
    double zipf = 0.4;

    @Option(names = "--redundant", description = "replicas of experts on each rank")
    int redundant = 1;

    @Option(names = "--link-gb-s", description = "instead of NVLink's and the network's rates")
    @Nullable Double linkGb;

    @Option(names = "--link-us", description = "that an exchange takes at least")
    @Nullable Double linkMicros;

    enum Prefill {
        HERE,
        ELSEWHERE
    }

    void check() {
        require(
                share == null || share > 0 && share <= 1,
                "find-rate",
                "in (0, 1]",
                String.valueOf(share));
        require(zipf >= 0 && zipf <= 4, "zipf", "in [0, 4]", zipf);
        require(
                redundant >= 0 && redundant <= MOST_REDUNDANT,
                "redundant",
                "in [0, 16]",
                redundant);
        require(
                linkGb == null || linkGb > 0 && linkGb <= 1e6,
                "link-gb-s",
                "in (0, 1e6]",
                String.valueOf(linkGb));
        require(
                linkMicros == null || linkMicros >= 0 && linkMicros <= 1e7,
                "link-us",
                "in [0, 1e7]",
                String.valueOf(linkMicros));
    }

    /**
     * @param trace at its own rate
     * @param scale that it arrives faster by, where no rate is looked for
     */
    void run(
            Trace trace,
            SimSetup setup,
            double scale,
            long seed,
            Results results,
            PrintStream out) {
        RankDevice device = device();
        double context =
                LengthFacts.of(trace.inputs()).mean() + LengthFacts.of(trace.outputs()).mean() / 2;
        head(trace, setup, device, context, out);
        LayoutReport report = new LayoutReport();
        for (String shape : shapes) {
            LayoutModel model = MoeShapes.named(shape);
            LayoutCost cost =
                    new LayoutCost(
                            device, model, new ExpertSkew(model, zipf, redundant, seed), redundant);
            LayoutSearch search =
                    new LayoutSearch(
                            device,
                            model,
                            cost,
                            new LayoutSearch.Limits(context, setup.tpotMs() / 1e3));
            LayoutSim sim = new LayoutSim(trace, setup, cost, prefill == Prefill.HERE);
            for (String text : layouts) {
                List<? extends Layout> read = LayoutText.read(text, search);
                LayoutSim.Outcome outcome =
                        read.isEmpty()
                                ? null
                                : share == null ? sim.at(read, scale) : sim.fastest(read, share);
                report.add(model, text, outcome, results);
            }
        }
        report.print(out);
    }

    private RankDevice device() {
        RankDevice device = RankDevice.H100;
        device = linkGb == null ? device : device.linkRate(linkGb * 1e9);
        return linkMicros == null ? device : device.linkSeconds(linkMicros / 1e6);
    }

    private void head(
            Trace trace, SimSetup setup, RankDevice device, double context, PrintStream out) {
        out.printf(
                Locale.ROOT,
                "trace: %s, %,d requests a GPU, over and over for a rank with attention, the others"
                        + " as busy and in step; %.0f tokens attended to on average%n",
                trace.name(),
                trace.size(),
                context);
        out.printf(
                Locale.ROOT,
                "devices: H100 by its data sheet: %.0f TFLOP/s bf16, %.0f fp8, %.2f TB/s, %.0f GB;"
                        + " %.1f GB/s and %.0f us within %d, %.1f GB/s and %.0f us beyond%n",
                device.flops() / 1e12,
                device.fp8Flops() / 1e12,
                device.memoryRate() / 1e12,
                device.memoryBytes() / 1e9,
                device.linkRate() / 1e9,
                device.linkSeconds() * 1e6,
                device.perNode(),
                device.netRate() / 1e9,
                device.netSeconds() * 1e6);
        out.printf(
                Locale.ROOT,
                "experts: chosen by Zipf's law with skew %.2f, %d replica(s) a rank placed by the"
                        + " engine's balancer; prompts computed %s%n",
                zipf,
                redundant,
                prefill.name().toLowerCase(Locale.ROOT));
        out.printf(
                Locale.ROOT,
                "engines: %d sequences and %,d tokens a step for each rank with attention%n",
                setup.options().maxNumSeqs(),
                setup.options().maxNumBatchedTokens());
        out.printf(
                Locale.ROOT,
                "targets: TTFT %d ms, TPOT %d ms%s%n%n",
                setup.ttftMs(),
                setup.tpotMs(),
                share == null
                        ? ""
                        : "; the highest rate at which %.0f%% keep them".formatted(100 * share));
    }
}
