package io.cortado.server.cli;

import io.cortado.api.Engine;
import io.cortado.server.record.RecordHeader;
import io.cortado.server.record.RecordingEngine;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;

/** The flag that keeps what an engine is asked and answers. */
final class RecordFlag {
    @Option(
            names = "--record",
            paramLabel = "FILE",
            description =
                    "a new file for replay and explain: arrivals, prompts, parameters, seeds and"
                            + " outputs. It holds what users asked (mode 0600)")
    @Nullable Path file;

    /** Opens the engine of the command, recorded where that is asked for. */
    Engine open(CommandSpec command, EngineFlags flags, @Nullable Path model) throws IOException {
        if (file != null && Files.exists(file)) { // before a long load, and again when it is made
            throw new IOException("--record must name a file that does not exist: " + file);
        }
        Engine engine = flags.open(model);
        if (file == null) {
            return engine;
        }
        try {
            String folder = model == null ? null : model.toAbsolutePath().normalize().toString();
            return new RecordingEngine(
                    engine, file, RecordHeader.of(folder, FlagText.given(command), engine.model()));
        } catch (IOException | RuntimeException e) {
            engine.close();
            throw e;
        }
    }
}
