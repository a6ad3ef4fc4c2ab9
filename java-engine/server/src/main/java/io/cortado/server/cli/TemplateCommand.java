package io.cortado.server.cli;

import io.cortado.api.Engine;
import io.cortado.api.Prompt;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code cortado template [MODEL] --prompt TEXT}: what a chat template makes of a turn. */
@Command(
        name = "template",
        description = "The prompt that the chat template makes.",
        mixinStandardHelpOptions = true,
        sortOptions = false)
final class TemplateCommand implements Callable<Integer> {
    @Parameters(
            arity = "0..1",
            paramLabel = "MODEL",
            description = "checkpoint folder or .gguf file; absent: the bundled demo model")
    @Nullable Path model;

    @Option(names = "--prompt", paramLabel = "TEXT", required = true)
    String prompt = "";

    @Option(names = "--system", paramLabel = "TEXT")
    @Nullable String system;

    @Mixin EngineFlags engineFlags = new EngineFlags();

    @Override
    public Integer call() throws IOException {
        List<Map<String, Object>> messages = new ArrayList<>();
        if (system != null) {
            messages.add(Map.of("role", "system", "content", system));
        }
        messages.add(Map.of("role", "user", "content", prompt));
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        try (Engine engine = engineFlags.open(model)) {
            out.println(engine.render(new Prompt.Chat(messages, List.of(), Map.of(), true, false)));
        }
        out.flush();
        return 0;
    }
}
