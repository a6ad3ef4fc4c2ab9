package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.Engine;
import io.cortado.api.EngineException;
import io.cortado.api.EngineOptions;
import io.cortado.api.EngineOptions.Activations;
import io.cortado.api.EnginePlan;
import io.cortado.api.ExpertLoad;
import io.cortado.api.GenerationRequest;
import io.cortado.api.GenerationStream;
import io.cortado.api.PlanLoad;
import io.cortado.api.Prompt;
import io.cortado.api.SamplingParams;
import io.cortado.api.Speculation;
import io.cortado.device.ExpertId;
import io.cortado.device.HotExperts;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Attention on one device, experts on the CPU. */
@Timeout(value = 600, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ExpertDeviceTest {
    private static final String SIMT = Devices.all().getLast();
    private static final SamplingParams PARAMS =
            SamplingParams.greedy(8).toBuilder().logprobs(0).build();

    @BeforeEach
    void requireDevice() {
        Devices.assumePresent(SIMT);
    }

    private static EngineOptions split(Activations activations) {
        return all(SIMT, activations).expertDevice("cpu");
    }

    private static EngineOptions all(String device, Activations activations) {
        return DemoEngine.options().device(device).activations(activations).maxModelLen(128);
    }

    private static List<Answers> ask(EngineOptions options) throws Exception {
        Path model = DemoEngine.moeFolder();
        try (Engine engine = Engine.open(model, options)) {
            List<GenerationStream> streams = new ArrayList<>();
            for (DemoEngine.Golden golden : DemoEngine.goldens(model).subList(0, 3)) {
                Prompt prompt = Prompt.tokens(golden.prompt());
                streams.add(engine.generate(new GenerationRequest(prompt, PARAMS)));
            }
            List<Answers> answers = new ArrayList<>();
            for (GenerationStream stream : streams) {
                answers.add(Answers.read(stream));
                assertNull(answers.getLast().failure);
            }
            assertEquals(0, DemoEngine.blocksUsedInTheEnd(engine));
            return answers;
        }
    }

    private static List<List<Integer>> ids(List<Answers> answers) {
        return answers.stream().map(Answers::ids).toList();
    }

    private static List<Integer> bits(List<Answers> answers) {
        return answers.stream()
                .flatMap(answer -> answer.answers.getFirst().logprobs.stream())
                .map(token -> Float.floatToRawIntBits(token.logprob()))
                .toList();
    }

    @ParameterizedTest
    @EnumSource(Activations.class)
    void givesTheTokensOfEitherDeviceAlone(Activations activations) throws Exception {
        List<Answers> split = ask(split(activations));
        assertEquals(ids(ask(all(SIMT, activations))), ids(split), "all on " + SIMT);
        assertEquals(ids(ask(all("cpu", activations))), ids(split), "all on the CPU");
    }

    /** The contract of one device holds for two. */
    @Test
    void aRequestsBitsAreItsOwn() throws Exception {
        List<Answers> together = ask(split(Activations.BF16));
        for (EngineOptions other :
                List.of(
                        split(Activations.BF16).maxNumSeqs(1).threads(1),
                        split(Activations.BF16).maxNumBatchedTokens(16))) {
            List<Answers> answers = ask(other);
            assertEquals(ids(together), ids(answers));
            assertEquals(bits(together), bits(answers));
        }
    }

    @Test
    void servesSpeculation() throws Exception {
        EngineOptions plain = split(Activations.F32);
        Speculation ngram = Speculation.ngram(4).adaptive(false);
        assertEquals(ids(ask(plain)), ids(ask(plain.speculation(ngram))));
    }

    /** Half of the experts, by what the goldens have chosen. */
    @ParameterizedTest
    @EnumSource(Activations.class)
    void hotExpertsOnTheDeviceGiveTheSameTokens(Activations activations, @TempDir Path folder)
            throws Exception {
        Path loads = folder.resolve("loads.json");
        long expert = 3L * 192 * 192 * 2; // bf16, whatever the activations
        try (Engine engine = Engine.open(DemoEngine.moeFolder(), all("cpu", activations))) {
            int[] prompt = DemoEngine.goldens(DemoEngine.moeFolder()).getFirst().prompt();
            DemoEngine.ask(engine, prompt, PARAMS);
            Files.writeString(loads, json(ExpertLoadsTest.await(engine, 2L * prompt.length)));
        }
        EngineOptions hot = split(activations).expertCache(20 * expert, loads.toString());
        assertEquals(ids(ask(split(activations))), ids(ask(hot)));
        PlanLoad load = new PlanLoad(32, 8, 2);
        EnginePlan plan = Engine.plan(DemoEngine.moeFolder(), hot, load);
        EnginePlan cold = Engine.plan(DemoEngine.moeFolder(), split(activations), load);
        assertTrue(plan.device().contains("20 experts"), plan.device());
        long onHost = Objects.requireNonNull(plan.memory().onHost()).weightBytes();
        long before = Objects.requireNonNull(cold.memory().onHost()).weightBytes();
        long present = 5 * 8 * 4;
        assertEquals(before - 20 * expert + present, onHost);
        assertEquals(
                cold.memory().weightBytes() + 20 * expert + present, plan.memory().weightBytes());
    }

    private static String json(List<ExpertLoad> loads) {
        return loads.stream()
                .map(load -> "{\"layer\":" + load.layer() + ",\"tokens\":" + load.tokens() + "}")
                .collect(Collectors.joining(",", "{\"layers\":[", "]}"));
    }

    @Test
    void hotExpertsAreThoseOfMostChoicesForTheirBytes() {
        Map<ExpertId, Long> bytes = new LinkedHashMap<>();
        Map<ExpertId, Long> loads = new LinkedHashMap<>();
        for (int layer = 0; layer < 2; layer++) {
            for (int i = 0; i < 4; i++) {
                bytes.put(new ExpertId(layer, i), layer == 0 ? 10L : 20L);
                loads.put(new ExpertId(layer, i), 10L * (i + 1));
            }
        }
        HotExperts hot = HotExpertChoice.of(loads, bytes, 45);
        assertEquals(
                Set.of(
                        new ExpertId(0, 3),
                        new ExpertId(0, 2),
                        new ExpertId(0, 1),
                        // 3 of layer 1 has as many for its bytes as 1 of layer 0, and does not fit
                        new ExpertId(0, 0)),
                Set.copyOf(HotExpertChoice.of(loads, withSix(bytes), 45).ids()));
        assertEquals(Set.of(new ExpertId(0, 3), new ExpertId(0, 2), new ExpertId(0, 1)), hot.ids());
        assertEquals(90.0 / 200, hot.share());
        assertEquals(6, HotExpertChoice.of(loads, bytes, 1000).ids().size(), "one of each stays");
        assertEquals(Set.of(), HotExpertChoice.of(Map.of(), bytes, 1000).ids(), "nothing counted");
    }

    /** With two more experts in the first layer, which nobody has chosen. */
    private static Map<ExpertId, Long> withSix(Map<ExpertId, Long> bytes) {
        Map<ExpertId, Long> more = new LinkedHashMap<>(bytes);
        more.put(new ExpertId(0, 4), 10L);
        more.put(new ExpertId(0, 5), 10L);
        return more;
    }

    @Test
    void refusesLoadsOfAnotherModel(@TempDir Path folder) throws Exception {
        Path loads = Files.writeString(folder.resolve("loads.json"), "{\"layers\":[]}");
        EngineOptions options = split(Activations.F32);
        for (EngineOptions wrong :
                List.of(
                        options.expertCache(1000, loads.toString()),
                        options.expertCache(1000, folder.resolve("none").toString()))) {
            EngineException e =
                    assertThrows(
                            EngineException.class,
                            () -> Engine.open(DemoEngine.moeFolder(), wrong).close());
            assertEquals("expert-loads", e.param());
        }
        assertThrows(EngineException.class, () -> options.expertCache(1000, ""));
        assertThrows(EngineException.class, () -> all(SIMT, Activations.F32).expertCache(1, "x"));
    }

    @Test
    void plansExpertsInHostMemory() throws Exception {
        Path model = DemoEngine.moeFolder();
        PlanLoad load = new PlanLoad(32, 8, 2);
        EnginePlan whole = Engine.plan(model, all(SIMT, Activations.BF16), load);
        EnginePlan split = Engine.plan(model, split(Activations.BF16), load);
        assertNull(split.refusal());
        assertNull(whole.memory().onHost());
        EnginePlan.OnHost onHost = Objects.requireNonNull(split.memory().onHost());
        // bf16: 5 layers of 8 experts of three matrices of 192 x 192.
        assertEquals(5 * 8 * 3 * 192 * 192 * 2, onHost.weightBytes());
        assertEquals(
                whole.memory().weightBytes(), split.memory().weightBytes() + onHost.weightBytes());
        assertTrue(split.memory().workspaceBytes() < whole.memory().workspaceBytes());
        assertTrue(onHost.workspaceBytes() > 0);
    }

    private static void refused(String words, Runnable open) {
        EngineException e = assertThrows(EngineException.class, open::run);
        assertEquals("expert-device", e.param());
        assertTrue(String.valueOf(e.getMessage()).contains(words), e.getMessage());
    }

    @Test
    void refusesWhatItCannotSplit() throws Exception {
        Path dense = DemoEngine.folder();
        EngineOptions options = EngineOptions.defaults();
        refused("needs another device", () -> options.expertDevice("cpu"));
        refused("must be cpu", () -> options.device(SIMT).expertDevice("cuda:0"));
        refused("has none", () -> Engine.open(dense, split(Activations.F32)).close());
        refused(
                "has none",
                () -> Engine.plan(dense, split(Activations.F32), new PlanLoad(8, 8, 1)));
    }
}
