package io.cortado.server.cli;

import io.cortado.api.EngineException;
import io.cortado.server.Version;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;

/** {@code cortado VERB …}. Exit codes: 0 done, 1 failed, 2 the command line is wrong. */
@Command(
        name = "cortado",
        description = "LLM serving for the JVM.",
        mixinStandardHelpOptions = true,
        versionProvider = Main.VersionText.class,
        subcommands = {
            ServeCommand.class,
            ChatCommand.class,
            GenerateCommand.class,
            TokenizeCommand.class,
            TemplateCommand.class,
            PlanCommand.class,
            DoctorCommand.class,
            ExplainCommand.class,
            ReplayCommand.class
        },
        synopsisSubcommandLabel = "COMMAND")
public final class Main {

    Main() {}

    public static void main(String[] args) {
        int code = run(args);
        System.out.flush();
        System.exit(code);
    }

    /** As {@link #main}, without leaving the process. */
    static int run(String... args) {
        CommandLine line = new CommandLine(new Main());
        line.setExecutionExceptionHandler((fault, where, _) -> failed(fault, where));
        line.setParameterExceptionHandler((fault, _) -> wrong(fault));
        line.setCaseInsensitiveEnumValuesAllowed(true);
        if (args.length == 0) {
            line.usage(System.out);
            return 2;
        }
        try {
            return line.execute(args);
        } catch (LinkageError e) {
            tell("the installation is not whole: " + e.getMessage(), "build again with ./cortado");
            return 1;
        }
    }

    private static int wrong(CommandLine.ParameterException fault) {
        String name = fault.getCommandLine().getCommandSpec().qualifiedName();
        tell(String.valueOf(fault.getMessage()), "see: " + name + " --help");
        return 2;
    }

    private static int failed(Exception fault, CommandLine where) {
        boolean isVerbose =
                where.getParseResult().hasMatchedOption("--verbose")
                        || System.getenv("CORTADO_VERBOSE") != null;
        if (isVerbose) {
            List<String> lines = new ArrayList<>();
            for (Throwable t = fault; t != null; t = t.getCause()) {
                lines.add(t.toString());
                for (StackTraceElement element : t.getStackTrace()) {
                    lines.add("    at " + element);
                }
            }
            lines.forEach(System.err::println);
            return 1;
        }
        String hint = "add --verbose for where it happened";
        if (fault instanceof EngineException engine && engine.param() != null) {
            hint = "it is about: " + engine.param();
        }
        tell(fault.getMessage() == null ? fault.toString() : fault.getMessage(), hint);
        return 1;
    }

    private static void tell(String what, String hint) {
        System.err.println("error: " + what);
        System.err.println("       " + hint);
    }

    /** The build's version and the JDK's. */
    static final class VersionText implements IVersionProvider {
        @Override
        public String[] getVersion() {
            return new String[] {"cortado " + Version.text() + " (JDK " + Runtime.version() + ")"};
        }
    }
}
