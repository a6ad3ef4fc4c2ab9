package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.DraftShape;
import io.cortado.api.Engine;
import io.cortado.api.EngineOptions;
import io.cortado.api.GenerationRequest;
import io.cortado.api.GenerationStream;
import io.cortado.api.Prompt;
import io.cortado.api.SamplingParams;
import io.cortado.api.Speculation;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Two hundred prompts are answered greedily with the same tokens with and without drafts: one at a
 * time and sixteen at once, where the cache holds the prompt and where sequences are thrown out.
 */
@Timeout(value = 300, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class GreedyEqualityTest {
    private static final int PROMPTS = 200;
    private static final int MAX_TOKENS = 20;

    static Stream<Speculation> proposers() throws IOException {
        return Stream.of(
                Speculation.ngram(4).lookup(1, 3).adaptive(false),
                Speculation.draftModel(DemoEngine.draftFolder().toString(), 4).adaptive(false),
                Speculation.eagle3(DemoEngine.headFolder().toString(), 4).adaptive(false),
                Speculation.draftModel(DemoEngine.draftFolder().toString(), 4)
                        .tree(12, 3)
                        .adaptive(false),
                Speculation.eagle3(DemoEngine.headFolder().toString(), 5)
                        .tree(16, 4)
                        .adaptive(false),
                Speculation.eagle3(DemoEngine.headFolder().toString(), 3)
                        .shape(FIXED)
                        .adaptive(false));
    }

    /**
     * Three behind the last token, two behind the likeliest of them, and one behind each of these.
     */
    private static final DraftShape FIXED =
            new DraftShape.Fixed(
                    List.of(
                            List.of(0),
                            List.of(1),
                            List.of(2),
                            List.of(0, 0),
                            List.of(0, 1),
                            List.of(0, 0, 0),
                            List.of(0, 1, 0)));

    @ParameterizedTest
    @MethodSource("proposers")
    void demoModelSaysTheSame(Speculation speculation) throws Exception {
        List<int[]> prompts = prompts();
        EngineOptions options =
                DemoEngine.options().activations(EngineOptions.Activations.BF16).maxModelLen(512);
        List<List<Integer>> without;
        try (Engine engine = DemoEngine.open(options.maxNumSeqs(16))) {
            without = ask(engine, prompts, 16);
        }
        EngineOptions with = options.speculation(speculation);
        try (Engine engine = DemoEngine.open(with.maxNumSeqs(16))) {
            assertEquals(without, ask(engine, prompts, 1));
            long hits = engine.stats().cache().reusedTokens();
            assertEquals(without, ask(engine, prompts, 16), "prompts that the cache holds");
            assertTrue(engine.stats().cache().reusedTokens() >= hits + 16L * PROMPTS);
            assertTrue(engine.stats().drafts().accepted() > PROMPTS / 10);
        }
        EngineOptions tight = with.kvCacheBytes(14 * 2L * 6 * 2 * 64 * 16 * 2).maxModelLen(192);
        try (Engine engine = DemoEngine.open(tight.maxNumSeqs(16))) {
            assertEquals(without, ask(engine, prompts, 16), "with few blocks");
            assertTrue(engine.stats().preemptions() > 0);
        }
    }

    @ParameterizedTest
    @MethodSource("methods")
    void simtSaysTheSame(String method, @TempDir Path folder) throws Exception {
        Devices.assumePresent("simt:0");
        TinyModel.in(folder);
        Speculation model = Speculation.draftModel(folder.toString(), 3);
        Speculation how =
                switch (method) {
                    case "ngram" -> Speculation.ngram(3).lookup(1, 3);
                    case "trees" -> model.tree(6, 2);
                    default -> model;
                };
        Random random = new Random(11);
        List<int[]> prompts = new ArrayList<>();
        for (int i = 0; i < PROMPTS; i++) {
            int[] prompt = random.ints(6, 0, 300).toArray();
            prompt[4] = prompt[0];
            prompt[5] = prompt[1];
            prompts.add(prompt);
        }
        EngineOptions options = TinyModel.options("simt:0").maxNumSeqs(16);
        List<List<Integer>> without;
        try (Engine engine = Engine.open(folder, options)) {
            without = ask(engine, prompts, 16);
        }
        try (Engine engine = Engine.open(folder, options.speculation(how.adaptive(false)))) {
            assertEquals(without, ask(engine, prompts, 16));
            assertTrue(engine.stats().drafts().tokens() > PROMPTS);
        }
    }

    static Stream<String> methods() {
        return Stream.of("ngram", "draft_model", "trees");
    }

    /** Beginnings of the demo's chats, each of which another token makes its own. */
    private static List<int[]> prompts() throws IOException {
        Random random = new Random(7);
        List<DemoEngine.Golden> goldens = DemoEngine.goldens();
        List<int[]> prompts = new ArrayList<>();
        for (int i = 0; i < PROMPTS; i++) {
            DemoEngine.Golden golden = goldens.get(i % goldens.size());
            int said = random.nextInt(golden.greedy().size());
            int length = golden.prompt().length;
            int[] prompt = Arrays.copyOf(golden.prompt(), length + said + 1);
            for (int k = 0; k < said; k++) {
                prompt[length + k] = golden.greedy().get(k);
            }
            prompt[length + said] = 300 + i;
            prompts.add(prompt);
        }
        return prompts;
    }

    private static List<List<Integer>> ask(Engine engine, List<int[]> prompts, int atOnce)
            throws InterruptedException {
        SamplingParams params =
                SamplingParams.builder().temperature(0).maxTokens(MAX_TOKENS).build();
        List<List<Integer>> all = new ArrayList<>();
        Queue<GenerationStream> open = new ArrayDeque<>();
        for (int[] prompt : prompts) {
            if (open.size() == atOnce) {
                all.add(ids(open.remove()));
            }
            open.add(engine.generate(new GenerationRequest(Prompt.tokens(prompt), params)));
        }
        for (GenerationStream stream : open) {
            all.add(ids(stream));
        }
        return all;
    }

    private static List<Integer> ids(GenerationStream stream) throws InterruptedException {
        return Answers.read(stream).answers.getFirst().ids;
    }
}
