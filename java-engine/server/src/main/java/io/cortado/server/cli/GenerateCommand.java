package io.cortado.server.cli;

import io.cortado.api.Engine;
import io.cortado.api.FinishReason;
import io.cortado.api.GenerationEvent;
import io.cortado.api.GenerationRequest;
import io.cortado.api.GenerationStream;
import io.cortado.api.Prompt;
import io.cortado.api.SamplingParams;
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
            names = "--json",
            description = "ids, text, logprobs, finish reason and timings as JSON")
    boolean json;

    @Spec CommandSpec spec = CommandSpec.create(); // picocli puts the command's own here

    @Mixin RecordFlag recordFlag = new RecordFlag();
    @Mixin EngineFlags engineFlags = new EngineFlags();
    @Mixin SamplingFlags samplingFlags = new SamplingFlags();

    private final PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    private final StringBuilder text = new StringBuilder();
    private final List<Integer> ids = new ArrayList<>();
    private final List<TokenLogprob> scores = new ArrayList<>();
    private int[] started = {};
    private @Nullable FinishReason reason;

    @Override
    public Integer call() throws IOException, InterruptedException {
        if ((prompt == null) == promptIds.isEmpty()) {
            throw new IllegalArgumentException("give one of --prompt and --prompt-ids");
        }
        Prompt asked =
                prompt != null
                        ? Prompt.text(prompt)
                        : Prompt.tokens(promptIds.stream().mapToInt(Integer::intValue).toArray());
        try (Engine engine = recordFlag.open(spec, engineFlags, model)) {
            SamplingParams params =
                    samplingFlags.params(engine.model().defaults(), 16).logprobs(logprobs).build();
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
            case GenerationEvent.PromptScored _ -> {}
            case GenerationEvent.Delta delta -> delta(delta);
            case GenerationEvent.Finished finished -> reason = finished.reason();
            case GenerationEvent.Completed completed -> completed(completed);
            case GenerationEvent.Failed failed -> throw failed.error();
        }
    }

    private void delta(GenerationEvent.Delta delta) {
        if (!json) {
            out.print(delta.text());
            out.flush();
        }
        text.append(delta.text());
        for (int id : delta.ids()) {
            ids.add(id);
        }
        if (delta.logprobs() != null) {
            scores.addAll(delta.logprobs());
        }
    }

    private void completed(GenerationEvent.Completed completed) {
        if (json) {
            int[] output = ids.stream().mapToInt(Integer::intValue).toArray();
            out.println(
                    ResultJson.of(
                            started,
                            output,
                            text.toString(),
                            logprobs == null ? null : scores,
                            reason == null ? "stop" : reason.apiName(),
                            completed));
        } else {
            out.println();
            out.println(Timed.line(completed.usage(), completed.timings()));
        }
    }
}
