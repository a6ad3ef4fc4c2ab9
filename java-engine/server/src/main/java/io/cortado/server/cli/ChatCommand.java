package io.cortado.server.cli;

import io.cortado.api.Engine;
import io.cortado.api.GenerationEvent;
import io.cortado.api.GenerationRequest;
import io.cortado.api.GenerationStream;
import io.cortado.api.Prompt;
import io.cortado.api.SamplingParams;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code cortado chat [MODEL] [--prompt TEXT]}. */
@Command(
        name = "chat",
        description = "One answer, or an interactive chat.",
        mixinStandardHelpOptions = true,
        sortOptions = false)
final class ChatCommand implements Callable<Integer> {
    @Parameters(
            arity = "0..1",
            paramLabel = "MODEL",
            description =
                    "checkpoint folder, .gguf file, or ORG/NAME in the local Hugging Face cache;"
                            + " absent: the bundled demo model")
    @Nullable Path model;

    @Option(
            names = "--prompt",
            paramLabel = "TEXT",
            description = "absent: lines of standard input")
    @Nullable String prompt;

    @Option(names = "--system", paramLabel = "TEXT", description = "a system message comes first")
    @Nullable String system;

    @Spec CommandSpec spec = CommandSpec.create(); // picocli puts the command's own here

    @Mixin RecordFlag recordFlag = new RecordFlag();
    @Mixin EngineFlags engineFlags = new EngineFlags();
    @Mixin SamplingFlags samplingFlags = new SamplingFlags();
    @Mixin TemplateFlags templateFlags = new TemplateFlags();

    private final PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    private double firstTokenSeconds = Double.NaN;

    @Override
    public Integer call() throws IOException, InterruptedException {
        try (Engine engine = recordFlag.open(spec, engineFlags, model)) {
            SamplingParams params =
                    samplingFlags.params(engine.model().defaults(), Integer.MAX_VALUE).build();
            List<Map<String, Object>> messages = new ArrayList<>();
            if (system != null) {
                messages.add(Map.of("role", "system", "content", system));
            }
            if (prompt != null) {
                turn(engine, messages, prompt, params);
            } else {
                interact(engine, messages, params);
            }
        }
        return 0;
    }

    private void interact(Engine engine, List<Map<String, Object>> messages, SamplingParams params)
            throws IOException, InterruptedException {
        BufferedReader lines =
                new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        out.println("A line is a turn; an empty line or Ctrl-D ends the chat.");
        prompt();
        for (String line = lines.readLine();
                line != null && !line.isBlank();
                line = lines.readLine()) {
            turn(engine, messages, line, params);
            prompt();
        }
    }

    private void prompt() {
        out.print("> ");
        out.flush();
    }

    private void turn(
            Engine engine, List<Map<String, Object>> messages, String text, SamplingParams params)
            throws IOException, InterruptedException {
        messages.add(Map.of("role", "user", "content", text));
        Prompt.Chat chat = templateFlags.chat(messages, true, false);
        StringBuilder answer = new StringBuilder();
        try (GenerationStream stream = engine.generate(new GenerationRequest(chat, params))) {
            for (GenerationEvent event = stream.next(); event != null; event = stream.next()) {
                show(event, answer);
            }
        }
        messages.add(Map.of("role", "assistant", "content", answer.toString()));
    }

    private void show(GenerationEvent event, StringBuilder answer) {
        switch (event) {
            case GenerationEvent.Delta delta -> {
                if (Double.isNaN(firstTokenSeconds)) {
                    firstTokenSeconds = Timed.secondsSinceProcessStart();
                }
                out.print(delta.text());
                out.flush();
                answer.append(delta.text());
            }
            case GenerationEvent.Completed completed -> {
                out.println();
                out.println(Timed.line(completed.usage(), completed.timings()));
                out.printf(
                        Locale.ROOT, "[process start to first token %.2f s]%n", firstTokenSeconds);
                out.flush();
            }
            case GenerationEvent.Failed failed -> throw failed.error();
            case GenerationEvent.Started _,
                    GenerationEvent.PromptScored _,
                    GenerationEvent.Finished _ -> {}
        }
    }
}
