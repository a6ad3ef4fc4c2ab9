package io.cortado.server.cli;

import io.cortado.api.Engine;
import io.cortado.api.EnginePlan;
import io.cortado.api.PlanLoad;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/**
 * {@code cortado plan [MODEL]}: memory, TTFT and TPOT, before anything is loaded. Exit code 1 where
 * it would not run.
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
            description = "requests that come at once; default: ${DEFAULT-VALUE}")
    int concurrency = PlanLoad.defaults().concurrency();

    @Option(names = "--json", description = "one object instead of text")
    boolean json;

    @Mixin EngineFlags engineFlags = new EngineFlags();

    @Override
    public Integer call() throws IOException {
        EnginePlan plan =
                Engine.plan(
                        engineFlags.folder(model),
                        engineFlags.options(),
                        new PlanLoad(promptTokens, outputTokens, concurrency));
        List<String> names = engineFlags.names(model);
        String name = names.isEmpty() ? plan.model() : names.getFirst();
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        if (json) {
            out.println(PlanJson.of(name, plan));
        } else {
            PlanText.lines(name, plan).forEach(out::println);
        }
        out.flush();
        EnginePlan.Refusal refusal = plan.refusal();
        if (refusal != null && !json) {
            System.err.println("error: " + refusal.message());
            System.err.println("       it is about: " + refusal.flag());
        }
        return refusal == null ? 0 : 1;
    }
}
