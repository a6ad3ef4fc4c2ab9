package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cortado.api.EmbeddingParams;
import io.cortado.api.EmbeddingRequest;
import io.cortado.api.Engine;
import io.cortado.api.Pooling;
import io.cortado.api.Prompt;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Pooled hidden states against those of transformers. */
class EmbeddingGoldenTest {

    @Test
    void poolsAsTheReferenceDoes() throws Exception {
        Path folder =
                Path.of(System.getProperty("cortado.root", ""))
                        .resolve("../shared/suites/goldens/qwen3");
        Path file = folder.resolve("embeddings.json");
        assumeTrue(Files.isRegularFile(file), "no goldens at " + file);
        JsonNode prompts = JsonMapper.shared().readTree(Files.readString(file)).get("prompts");
        try (Engine engine = Engine.open(folder, DemoEngine.options())) {
            for (JsonNode prompt : prompts) {
                int[] ids = prompt.get("ids").valueStream().mapToInt(JsonNode::asInt).toArray();
                assertArrayEquals(
                        floats(prompt.get("mean")), embed(engine, ids, Pooling.MEAN), 2e-5f);
                assertArrayEquals(
                        floats(prompt.get("last")), embed(engine, ids, Pooling.LAST), 2e-5f);
                assertArrayEquals(
                        embed(engine, new int[] {ids[0]}, Pooling.LAST),
                        embed(engine, ids, Pooling.CLS));
            }
            assertEquals(Pooling.LAST, engine.model().embedding().pooling());
        }
    }

    private static float[] embed(Engine engine, int[] ids, Pooling pooling) throws Exception {
        EmbeddingParams params = new EmbeddingParams(pooling, null, null);
        return engine.embed(new EmbeddingRequest(List.of(Prompt.tokens(ids)), params))
                .getFirst()
                .values();
    }

    private static float[] floats(JsonNode array) {
        float[] values = new float[array.size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = array.get(i).floatValue();
        }
        return values;
    }
}
