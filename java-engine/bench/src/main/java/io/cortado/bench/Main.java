package io.cortado.bench;

import picocli.CommandLine;
import picocli.CommandLine.Command;

/** Entry of the verbs {@code bench} and {@code conformance}. */
@Command(
        name = "cortado",
        description = "Benchmarks and conformance runs.",
        mixinStandardHelpOptions = true,
        subcommands = {BenchVerb.class, ConformanceVerb.class})
public final class Main {
    private Main() {}

    public static void main(String[] args) {
        System.exit(commandLine().execute(args));
    }

    static CommandLine commandLine() {
        return new CommandLine(new Main())
                .setCaseInsensitiveEnumValuesAllowed(true)
                .setExecutionExceptionHandler(Main::report);
    }

    /** A fault of ours keeps its trace; what the user can cure was reported by the command. */
    private static int report(Exception e, CommandLine command, CommandLine.ParseResult parsed) {
        e.printStackTrace(command.getErr());
        return 3;
    }
}
