package io.cortado.bench;

import io.cortado.bench.llamacpp.LlamaCppComparison;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** Folders with nothing but a configuration, for random weights; they go with the process. */
final class Shapes {
    private static final int MAX_POSITIONS = 16_384;

    private Shapes() {}

    /** The bundled shape of 0.5 B parameters, with room for long prompts. */
    static Path halfBillion() throws IOException {
        ObjectNode config =
                (ObjectNode) JsonMapper.shared().readTree(LlamaCppComparison.config(null));
        config.put("max_position_embeddings", MAX_POSITIONS);
        Path folder = Files.createTempDirectory("cortado-shape");
        Path file = folder.resolve("config.json");
        Files.write(file, JsonMapper.shared().writeValueAsBytes(config));
        // Reverse order of registration: the file goes before its folder.
        folder.toFile().deleteOnExit();
        file.toFile().deleteOnExit();
        return folder;
    }
}
