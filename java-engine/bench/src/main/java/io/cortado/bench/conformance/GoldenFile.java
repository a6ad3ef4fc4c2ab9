package io.cortado.bench.conformance;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalDouble;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * A {@code golden.json}: prompts with the logits and greedy continuations that another engine gave.
 *
 * @param bf16Scale the largest difference that the reference itself shows with bf16 activations
 */
record GoldenFile(List<GoldenPrompt> prompts, OptionalDouble bf16Scale) {
    private static final JsonMapper MAPPER = JsonMapper.builder().build();

    /**
     * One prompt. Expectations of a position are of its logits; those of the last are always there.
     *
     * @param greedyMargins by how much the first logit of a greedy step leads the second; may be
     *     empty
     * @param isGreedySure no step of the greedy run was near a tie
     */
    record GoldenPrompt(
            int[] ids,
            List<Expected> expected,
            float[] lastLogits,
            int[] greedy,
            float[] greedyMargins,
            boolean isGreedySure) {

        /** The prompt and its greedy continuation. */
        int[] text() {
            int[] text = Arrays.copyOf(ids, ids.length + greedy.length);
            System.arraycopy(greedy, 0, text, ids.length, greedy.length);
            return text;
        }
    }

    record Expected(int position, int[] topIds, float[] topLogits, double logsumexp) {}

    static GoldenFile read(Path file) throws IOException {
        JsonNode root = MAPPER.readTree(Files.readAllBytes(file));
        List<GoldenPrompt> prompts = new ArrayList<>();
        for (JsonNode prompt : root.path("prompts")) {
            prompts.add(prompt(prompt));
        }
        JsonNode scale = root.path("seen").path("bfloat16 activations: max |dlogit|");
        return new GoldenFile(
                prompts,
                scale.isNumber() ? OptionalDouble.of(scale.doubleValue()) : OptionalDouble.empty());
    }

    private static GoldenPrompt prompt(JsonNode p) {
        int[] ids = ints(p.path("ids"));
        JsonNode topIds = p.path("top_ids");
        List<Expected> expected = new ArrayList<>();
        if (topIds.path(0).isNumber()) {
            expected.add(
                    new Expected(
                            ids.length - 1,
                            ints(topIds),
                            floats(p.path("top_logits")),
                            p.path("logsumexp").doubleValue()));
        } else {
            for (int i = 0; i < topIds.size(); i++) {
                expected.add(
                        new Expected(
                                i,
                                ints(topIds.path(i)),
                                floats(p.path("top_logits").path(i)),
                                p.path("logsumexp").path(i).doubleValue()));
            }
        }
        return new GoldenPrompt(
                ids,
                expected,
                floats(p.path("last_logits")),
                ints(p.path("greedy")),
                floats(p.path("greedy_margins")),
                p.path("greedy_margin_min").asDouble(0) >= 0.01);
    }

    private static int[] ints(JsonNode array) {
        int[] values = new int[array.size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = array.path(i).intValue();
        }
        return values;
    }

    private static float[] floats(JsonNode array) {
        float[] values = new float[array.size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = array.path(i).floatValue();
        }
        return values;
    }
}
