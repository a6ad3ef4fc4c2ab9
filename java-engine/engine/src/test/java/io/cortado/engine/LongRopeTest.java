package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import io.cortado.api.Engine;
import io.cortado.api.GenerationRequest;
import io.cortado.api.Prompt;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Long rope: the length of the whole sequence decides which angles all its tokens have. */
@Timeout(value = 300, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class LongRopeTest {
    private static final int SHORT_CONTEXT = 40;
    private static final int OUTPUT = 24;

    @TempDir Path folder;

    /** Factors so different that no token's logits survive the wrong ones. */
    private void writeConfig(String longFactor) throws IOException {
        Files.writeString(
                folder.resolve("config.json"),
                """
                {"model_type": "phi3", "hidden_size": 64, "num_hidden_layers": 2,
                 "num_attention_heads": 4, "vocab_size": 320, "intermediate_size": 96,
                 "max_position_embeddings": 128, "original_max_position_embeddings": 40,
                 "partial_rotary_factor": 0.5,
                 "rope_scaling": {"type": "longrope", "short_factor": [1, 1, 1, 1],
                                  "long_factor": [%s, 1, 2, 3]}}
                """
                        .formatted(longFactor));
    }

    private Engine engine(String device) {
        return Engine.open(folder, TinyModel.options(device).maxNumBatchedTokens(16));
    }

    private static List<Integer> logprobBits(Engine engine, int[] prompt, int maxTokens)
            throws Exception {
        var params = TinyModel.params(0, maxTokens).toBuilder().logprobs(0).build();
        Answers answers =
                Answers.read(engine.generate(new GenerationRequest(Prompt.tokens(prompt), params)));
        assertNull(answers.failure);
        List<Integer> bits = new ArrayList<>();
        answers.answers
                .getFirst()
                .logprobs
                .forEach(token -> bits.add(Float.floatToRawIntBits(token.logprob())));
        return bits;
    }

    private static List<Integer> ids(Engine engine, int[] prompt) throws Exception {
        return Answers.read(
                        engine.generate(
                                new GenerationRequest(
                                        Prompt.tokens(prompt), TinyModel.params(0, OUTPUT))))
                .ids();
    }

    @ParameterizedTest
    @MethodSource("io.cortado.engine.Devices#all")
    void aSequenceThatGrowsLongGoesOnAsIfItHadBeenLongFromTheStart(String device) throws Exception {
        Devices.assumePresent(device);
        writeConfig("9");
        int[] prompt = Requests.prompt(SHORT_CONTEXT - 6);
        try (Engine engine = engine(device)) {
            List<Integer> ids = ids(engine, prompt);
            List<Integer> whole = logprobBits(engine, prompt, OUTPUT);
            for (int drawn : new int[] {5, 6, 7, 12}) {
                int[] longer = Arrays.copyOf(prompt, prompt.length + drawn);
                for (int i = 0; i < drawn; i++) {
                    longer[prompt.length + i] = ids.get(i);
                }
                assertEquals(
                        whole.subList(drawn, OUTPUT),
                        logprobBits(engine, longer, OUTPUT - drawn),
                        "prompt of " + longer.length);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("io.cortado.engine.Devices#all")
    void theLongFactorsCountFromTheFirstTokenBeyond(String device) throws Exception {
        Devices.assumePresent(device);
        int[] prompt = Requests.prompt(SHORT_CONTEXT - 6);
        List<List<Integer>> runs = new ArrayList<>();
        for (String factor : List.of("9", "1")) {
            writeConfig(factor);
            try (Engine engine = engine(device)) {
                runs.add(logprobBits(engine, prompt, OUTPUT));
            }
        }
        // The seventh is drawn from 40 tokens, the eighth from 41.
        assertEquals(runs.get(0).subList(0, 7), runs.get(1).subList(0, 7));
        assertNotEquals(runs.get(0).get(7), runs.get(1).get(7));
    }
}
