package io.cortado.server.cli;

import io.cortado.api.Engine;
import io.cortado.api.GenerationEvent;
import io.cortado.api.GenerationRequest;
import io.cortado.api.GenerationStream;
import io.cortado.api.Prompt;
import io.cortado.api.SamplingParams;
import io.cortado.api.Scoring;
import io.cortado.api.TokenLogprob;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code cortado generate MODEL --prompt TEXT [--json]}: a raw completion. */
@Command(
        name = "generate",
        description = "Raw completion of a prompt, without a chat template.",
        mixinStandardHelpOptions = true,
        sortOptions = false)
final class GenerateCommand implements Callable<Integer> {
    @Parameters(
            arity = "0..1",
            paramLabel = "MODEL",
            description =
                    "checkpoint folder, .gguf file, or ORG/NAME in the local Hugging Face cache;"
                            + " absent: the bundled demo model")
    @Nullable Path model;

    @Option(names = "--prompt", paramLabel = "TEXT", description = "the text to go on with")
    @Nullable String prompt;

    @Option(
            names = "--prompt-ids",
            paramLabel = "ID",
            split = ",",
            description = "token ids instead of a text")
    List<Integer> promptIds = List.of();

    @Option(
            names = "--logprobs",
            paramLabel = "K",
            description = "of each token and the K likeliest")
    @Nullable Integer logprobs;

    @Option(
            names = "--logprobs-mode",
            paramLabel = "MODE",
            description =
                    "raw_logprobs (the default), or processed_logprobs: of what was drawn from")
    @Nullable String logprobsMode;

    @Option(
            names = "--prompt-logprobs",
            paramLabel = "K",
            description = "of each prompt token and the K likeliest; with --json")
    @Nullable Integer promptLogprobs;

    @Option(names = "--n", paramLabel = "N", description = "answers; default: ${DEFAULT-VALUE}")
    int n = 1;

    @Option(
            names = "--json",
            description =
                    "ids, text, logprobs, finish reason and timings as JSON, a line an answer")
    boolean json;

    @Spec CommandSpec spec = CommandSpec.create(); // picocli puts the command's own here

    @Mixin RecordFlag recordFlag = new RecordFlag();
    @Mixin EngineFlags engineFlags = new EngineFlags();
    @Mixin SamplingFlags samplingFlags = new SamplingFlags();

    private final PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    private final List<Answered> answers = new ArrayList<>();
    private int[] started = {};
    private @Nullable List<@Nullable TokenLogprob> promptScores;

    @Override
    public Integer call() throws IOException, InterruptedException {
        if ((prompt == null) == promptIds.isEmpty()) {
            throw new IllegalArgumentException("give one of --prompt and --prompt-ids");
        }
        if (promptLogprobs != null && !json) {
            throw new IllegalArgumentException("--prompt-logprobs needs --json");
        }
        Prompt asked =
                prompt != null
                        ? Prompt.text(prompt)
                        : Prompt.tokens(promptIds.stream().mapToInt(Integer::intValue).toArray());
        try (Engine engine = recordFlag.open(spec, engineFlags, model)) {
            SamplingParams params =
                    samplingFlags
                            .params(engine.model().defaults(), 16)
                            .n(n)
                            .scoring(
                                    new Scoring(
                                            logprobs,
                                            promptLogprobs,
                                            Scoring.Mode.of(logprobsMode)))
                            .build();
            for (int i = 0; i < n; i++) {
                answers.add(new Answered());
            }
            try (GenerationStream stream = engine.generate(new GenerationRequest(asked, params))) {
                for (GenerationEvent event = stream.next(); event != null; event = stream.next()) {
                    take(event);
                }
            }
        }
        out.flush();
        return 0;
    }

    private void take(GenerationEvent event) {
        switch (event) {
            case GenerationEvent.Started start -> started = start.promptIds();
            case GenerationEvent.PromptScored scored -> promptScores = scored.tokens();
            case GenerationEvent.Delta delta -> delta(delta);
            case GenerationEvent.Finished finished ->
                    answers.get(finished.index()).reason = finished.reason();
            case GenerationEvent.Completed completed -> completed(completed);
            case GenerationEvent.Failed failed -> throw failed.error();
        }
    }

    /** A single answer is shown as it comes. */
    private void delta(GenerationEvent.Delta delta) {
        if (!json && n == 1) {
            out.print(delta.text());
            out.flush();
        }
        answers.get(delta.index()).add(delta);
    }

    private void completed(GenerationEvent.Completed completed) {
        for (int i = 0; i < n; i++) {
            if (json) {
                out.println(
                        ResultJson.of(
                                started,
                                answers.get(i),
                                logprobs != null,
                                promptScores,
                                completed));
            } else {
                out.println(n == 1 ? "" : "[%d of %d] %s".formatted(i + 1, n, answers.get(i).text));
            }
        }
        if (!json) {
            out.println(Timed.line(completed.usage(), completed.timings()));
        }
    }
}
