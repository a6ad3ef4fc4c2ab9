package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cortado.api.Engine;
import io.cortado.api.EngineOptions;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class GgufEngineTest {
    private static final Path FILE =
            Path.of(
                    System.getProperty("cortado.root", "."),
                    "../shared/suites/gguf/qwen3-q4_k_m/model.gguf");

    @Test
    void opensAFileAsAModelWithTokenizerAndTemplate() {
        assumeTrue(Files.exists(FILE), "there is no " + FILE);
        try (Engine engine = Engine.open(FILE, EngineOptions.defaults().threads(1))) {
            assertEquals("model", engine.model().name());
            assertEquals("Qwen3ForCausalLM", engine.model().architecture());
            assertTrue(engine.model().hasChatTemplate());
        }
    }
}
