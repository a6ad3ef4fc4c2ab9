package io.cortado.server.cli;

import io.cortado.api.Engine;
import io.cortado.api.EnginePlan;
import io.cortado.api.PlanLoad;
import io.cortado.api.RankLoad;
import io.cortado.api.RankPlan;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/**
 * {@code cortado plan [MODEL]}: memory, TTFT and TPOT, before anything is loaded; with {@code
 * --disaggregate} how attention and experts would be placed on many ranks. Exit code 1 where it
 * would not run.
 */
@Command(
        name = "plan",
        description = "What a model would take and how fast it would answer; nothing is loaded.",
        mixinStandardHelpOptions = true,
        sortOptions = false)
final class PlanCommand implements Callable<Integer> {
    @Parameters(
            arity = "0..1",
            paramLabel = "MODEL",
            description =
                    "checkpoint folder, .gguf file, or ORG/NAME in the local Hugging Face cache;"
                            + " absent: the bundled demo model")
    @Nullable Path model;

    @Option(names = "--prompt-tokens", paramLabel = "N", description = "default: ${DEFAULT-VALUE}")
    int promptTokens = PlanLoad.defaults().promptTokens();

    @Option(names = "--output-tokens", paramLabel = "N", description = "default: ${DEFAULT-VALUE}")
    int outputTokens = PlanLoad.defaults().outputTokens();

    @Option(
            names = {"--concurrency", "--batch"},
            paramLabel = "N",
            description =
                    "requests that come at once; default: 1, and with --disaggregate as many as give"
                            + " most tokens a second")
    @Nullable Integer concurrency;

    @Option(names = "--json", description = "one object instead of text")
    boolean json;

    @ArgGroup(exclusive = false, heading = "Attention and experts on ranks of their own:%n")
    @Nullable RankFlags ranks;

    @Mixin EngineFlags engineFlags = new EngineFlags();

    @Override
    public Integer call() throws IOException {
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        EnginePlan.Refusal refusal = ranks == null ? printEngine(out) : printRanks(ranks, out);
        out.flush();
        if (refusal != null && !json) {
            System.err.println("error: " + refusal.message());
            System.err.println("       it is about: " + refusal.flag());
        }
        return refusal == null ? 0 : 1;
    }

    private EnginePlan.@Nullable Refusal printEngine(PrintStream out) throws IOException {
        PlanLoad load =
                new PlanLoad(
                        promptTokens,
                        outputTokens,
                        concurrency == null ? PlanLoad.defaults().concurrency() : concurrency);
        EnginePlan plan = Engine.plan(engineFlags.folder(model), engineFlags.options(), load);
        String name = nameOr(plan.model());
        if (json) {
            out.println(PlanJson.of(name, plan));
        } else {
            PlanText.lines(name, plan).forEach(out::println);
        }
        return plan.refusal();
    }

    private EnginePlan.@Nullable Refusal printRanks(RankFlags flags, PrintStream out)
            throws IOException {
        RankLoad load = flags.load(promptTokens, outputTokens, concurrency, engineFlags.gangFlags);
        RankPlan plan = Engine.planRanks(engineFlags.folder(model), engineFlags.ofOneRank(), load);
        String name = nameOr(plan.model());
        if (json) {
            out.println(RankPlanJson.of(name, plan));
        } else {
            RankPlanText.lines(name, plan).forEach(out::println);
        }
        return plan.refusal();
    }

    private String nameOr(String other) {
        List<String> names = engineFlags.names(model);
        return names.isEmpty() ? other : names.getFirst();
    }
}
