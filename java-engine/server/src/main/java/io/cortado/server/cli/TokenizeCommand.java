package io.cortado.server.cli;

import io.cortado.api.Engine;
import io.cortado.api.Prompt;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code cortado tokenize [MODEL] --prompt TEXT}: ids and pieces of a text. */
@Command(
        name = "tokenize",
        description = "Ids and pieces of a text.",
        mixinStandardHelpOptions = true,
        sortOptions = false)
final class TokenizeCommand implements Callable<Integer> {
    @Parameters(
            arity = "0..1",
            paramLabel = "MODEL",
            description =
                    "checkpoint folder, .gguf file, or ORG/NAME in the local Hugging Face cache;"
                            + " absent: the bundled demo model")
    @Nullable Path model;

    @Option(names = "--prompt", paramLabel = "TEXT", required = true)
    String prompt = "";

    @Option(names = "--no-special-tokens", description = "without those that the model adds")
    boolean noSpecialTokens;

    @Mixin EngineFlags engineFlags = new EngineFlags();

    @Override
    public Integer call() throws IOException {
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        try (Engine engine = engineFlags.open(model)) {
            int[] ids = engine.tokenize(new Prompt.Text(prompt, !noSpecialTokens));
            for (int id : ids) {
                out.println(id + "\t" + ResultJson.quoted(engine.tokenText(id)));
            }
            out.println(ids.length + " tokens");
        }
        out.flush();
        return 0;
    }
}
