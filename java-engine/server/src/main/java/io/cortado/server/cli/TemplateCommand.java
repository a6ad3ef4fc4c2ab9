package io.cortado.server.cli;

import io.cortado.api.Engine;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
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
            description =
                    "checkpoint folder, .gguf file, or ORG/NAME in the local Hugging Face cache;"
                            + " absent: the bundled demo model")
    @Nullable Path model;

    @ArgGroup(multiplicity = "1")
    Conversation conversation = new Conversation();

    /** One turn, or a whole conversation. */
    static final class Conversation {
        @Option(names = "--prompt", paramLabel = "TEXT", description = "a turn of the user")
        @Nullable String prompt;

        @Option(
                names = "--messages",
                paramLabel = "FILE",
                description = "a conversation, a JSON array as in the OpenAI API")
        @Nullable Path messages;
    }

    @Option(names = "--system", paramLabel = "TEXT", description = "a system message comes first")
    @Nullable String system;

    @Option(
            names = "--add-generation-prompt",
            arity = "0..1",
            fallbackValue = "true",
            paramLabel = "true|false",
            description =
                    "ends with the opening of the assistant's turn; default: true unless the"
                            + " last message goes on")
    @Nullable Boolean addGenerationPrompt;

    @Option(
            names = "--continue-final-message",
            description = "leaves the last message open, so that the answer goes on with it")
    boolean continueFinalMessage;

    @Mixin TemplateFlags templateFlags = new TemplateFlags();
    @Mixin EngineFlags engineFlags = new EngineFlags();

    @Override
    public Integer call() throws IOException {
        List<Map<String, Object>> messages = new ArrayList<>();
        if (system != null) {
            messages.add(Map.of("role", "system", "content", system));
        }
        if (conversation.prompt != null) {
            messages.add(Map.of("role", "user", "content", conversation.prompt));
        }
        messages.addAll(TemplateFlags.objects("--messages", conversation.messages));
        boolean opens = addGenerationPrompt == null ? !continueFinalMessage : addGenerationPrompt;
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        try (Engine engine = engineFlags.open(model)) {
            out.println(engine.render(templateFlags.chat(messages, opens, continueFinalMessage)));
        }
        out.flush();
        return 0;
    }
}
