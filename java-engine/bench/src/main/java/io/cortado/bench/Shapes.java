package io.cortado.bench;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/** Folders with nothing but a configuration, for random weights; they go with the process. */
final class Shapes {
    private Shapes() {}

    /** The bundled shape of 0.5 B parameters, Qwen2.5-0.5B's, with room for long prompts. */
    static Path halfBillion() throws IOException {
        Path folder = Files.createTempDirectory("cortado-shape");
        Path file = folder.resolve("config.json");
        try (InputStream config = Shapes.class.getResourceAsStream("half-billion.json")) {
            if (config == null) {
                throw new IOException("half-billion.json is missing from the jar");
            }
            Files.copy(config, file);
        }
        // Reverse order of registration: the file goes before its folder.
        folder.toFile().deleteOnExit();
        file.toFile().deleteOnExit();
        return folder;
    }
}
