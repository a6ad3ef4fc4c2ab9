package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cortado.api.Engine;
import io.cortado.api.SamplingParams;
import io.cortado.api.TokenLogprob;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Prompt log-probabilities against those of transformers, for a model without a tokenizer. */
class PromptLogprobsGoldenTest {

    @Test
    void scoresPromptsAsTheReferenceDoes() throws Exception {
        Path folder =
                Path.of(System.getProperty("cortado.root", ""))
                        .resolve("../shared/suites/goldens/llama");
        Path file = folder.resolve("prompt_logprobs.json");
        assumeTrue(Files.isRegularFile(file), "no goldens at " + file);
        JsonNode prompts = JsonMapper.shared().readTree(Files.readString(file)).get("prompts");
        try (Engine engine = Engine.open(folder, DemoEngine.options())) {
            for (JsonNode prompt : prompts) {
                int[] ids = prompt.get("ids").valueStream().mapToInt(JsonNode::asInt).toArray();
                SamplingParams params =
                        SamplingParams.greedy(1).toBuilder().promptLogprobs(5).build();
                compare(DemoEngine.ask(engine, ids, params), prompt.get("tokens"));
            }
        }
    }

    private static void compare(Answers got, JsonNode wanted) {
        assertNotNull(got.promptScores);
        assertEquals(wanted.size(), got.promptScores.size());
        for (int i = 1; i < wanted.size(); i++) {
            TokenLogprob score = got.promptScores.get(i);
            assertNotNull(score);
            JsonNode token = wanted.get(i);
            assertEquals(token.get("id").asInt(), score.id());
            assertEquals(token.get("logprob").asDouble(), score.logprob(), 2e-3);
            assertEquals(token.get("rank").asInt(), score.rank());
            for (int k = 0; k < 5; k++) {
                JsonNode top = token.get("top").get(k);
                assertEquals(top.get(1).asDouble(), score.top().get(k).logprob(), 2e-3);
            }
        }
    }
}
