package io.cortado.server.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import picocli.CommandLine;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;

/** The engine's flags of a command line as text that gives the same flags again. */
final class FlagText {
    private FlagText() {}

    /** What was given to the mixin {@code engineFlags} of a command that was parsed. */
    static List<String> given(CommandSpec command) {
        CommandLine.ParseResult parsed = command.commandLine().getParseResult();
        List<String> flags = new ArrayList<>();
        CommandSpec mixin = command.mixins().get("engineFlags");
        for (OptionSpec option : mixin == null ? List.<OptionSpec>of() : mixin.options()) {
            if (parsed.hasMatchedOption(option.longestName())) {
                flags.add(text(option));
            }
        }
        return flags;
    }

    private static String text(OptionSpec option) {
        Object value = option.getValue();
        String name = option.longestName();
        if (value instanceof Boolean on && option.negatable()) {
            return on ? name : name.replaceFirst("^--", "--no-");
        }
        if (value instanceof Boolean && option.arity().max() == 0) {
            return name;
        }
        return name + "=" + text(value);
    }

    private static String text(Object value) {
        return switch (value) {
            case Map<?, ?> map ->
                    map.entrySet().stream()
                            .map(entry -> entry.getKey() + "=" + entry.getValue())
                            .collect(Collectors.joining(","));
            case Collection<?> all ->
                    all.stream().map(String::valueOf).collect(Collectors.joining(","));
            case Enum<?> one -> one.name().toLowerCase(Locale.ROOT);
            case Path path -> path.toAbsolutePath().normalize().toString();
            default -> String.valueOf(value);
        };
    }

    /** Flags from texts; where two give the same one, the later wins. */
    static EngineFlags parse(List<String> flags) {
        Holder holder = new Holder();
        CommandLine line = new CommandLine(holder);
        line.setCaseInsensitiveEnumValuesAllowed(true);
        line.setOverwrittenOptionsAllowed(true);
        line.parseArgs(flags.toArray(String[]::new));
        return holder.engineFlags;
    }

    /** A command line of nothing else. */
    @CommandLine.Command
    private static final class Holder {
        @Mixin EngineFlags engineFlags = new EngineFlags();
    }
}
