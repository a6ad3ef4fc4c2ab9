package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cortado.api.Engine;
import io.cortado.api.EngineException;
import io.cortado.api.EngineOptions;
import io.cortado.api.EngineOptions.Activations;
import io.cortado.api.EngineStats;
import io.cortado.api.GangOptions;
import io.cortado.api.GenerationRequest;
import io.cortado.api.GenerationStream;
import io.cortado.api.Prompt;
import io.cortado.api.RankTimes;
import io.cortado.api.SamplingParams;
import io.cortado.api.Speculation;
import io.cortado.model.ModelConfig;
import io.cortado.moe.ExpertBalancer;
import io.cortado.moe.ExpertPlacement;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Experts on other ranks than attention: the bits are those of one rank. */
@Timeout(value = 300, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ExpertRanksTest {
    static final Path GOLDENS =
            Path.of(System.getProperty("cortado.root", "."), "../shared/suites/goldens");

    static EngineOptions options(Activations activations) {
        return DemoEngine.options().activations(activations).maxModelLen(256);
    }

    private static EngineOptions with(EngineOptions options, GangOptions gang) {
        return options.gang(gang.timeoutMs(20_000));
    }

    /** Greedy, and drawn with logprobs: prompts of several lengths. */
    static List<GenerationRequest> requests(int first) {
        Random random = new Random(7);
        List<GenerationRequest> requests = new ArrayList<>();
        for (int i = 0; i < 6; i++) {
            int[] prompt = random.ints(1 + 17 * i, 0, 300).toArray();
            SamplingParams.Builder params =
                    i % 2 == 0
                            ? SamplingParams.greedy(8).toBuilder()
                            : SamplingParams.builder().temperature(1).seed(5L + i).maxTokens(8);
            requests.add(
                    new GenerationRequest(
                            Prompt.tokens(prompt), params.ignoreEos(true).logprobs(2).build()));
        }
        return requests.subList(first, requests.size());
    }

    /** Ids and the bits of their logprobs. */
    static List<String> ask(Engine engine, List<GenerationRequest> requests)
            throws InterruptedException {
        List<GenerationStream> streams = requests.stream().map(engine::generate).toList();
        List<String> all = new ArrayList<>();
        for (GenerationStream stream : streams) {
            Answers answers = Answers.read(stream);
            assertNull(answers.failure);
            all.add(
                    answers.ids()
                            + ":"
                            + answers.answers.getFirst().logprobs.stream()
                                    .map(token -> Float.floatToRawIntBits(token.logprob()))
                                    .toList());
        }
        return all;
    }

    private static List<String> ask(Path model, EngineOptions options) throws Exception {
        try (Engine engine = Engine.open(model, options)) {
            return ask(engine, requests(0));
        }
    }

    private static List<GangOptions> layouts() {
        List<GangOptions> layouts = new ArrayList<>();
        for (int microBatches : new int[] {1, 2}) {
            for (GangOptions layout :
                    List.of(
                            GangOptions.NONE.expertParallel(2),
                            GangOptions.NONE.expertParallel(4),
                            GangOptions.NONE.expertParallel(4).balance(4, 0),
                            GangOptions.NONE.apart(1, 1),
                            GangOptions.NONE.apart(1, 3),
                            GangOptions.NONE.apart(1, 9))) { // a rank has no expert
                layouts.add(layout.microBatches(microBatches));
            }
        }
        return layouts;
    }

    @ParameterizedTest
    @EnumSource(Activations.class)
    void givesTheBitsOfOneRankWhereverExpertsAre(Activations activations) throws Exception {
        EngineOptions options = options(activations);
        Path model = DemoEngine.moeFolder();
        List<String> one = ask(model, options);
        for (GangOptions layout : layouts()) {
            assertEquals(one, ask(model, with(options, layout)), layout.toString());
        }
        EngineOptions chunked = options.maxNumBatchedTokens(16).maxNumSeqs(2);
        GangOptions two = GangOptions.NONE.expertParallel(2);
        assertEquals(one, ask(model, with(chunked, two)));
        assertEquals(one, ask(model, with(chunked, two.microBatches(2))));
    }

    @ParameterizedTest
    @ValueSource(strings = {"qwen3-moe", "qwen2-moe", "deepseek-v3", "gpt-oss", "mixtral"})
    void givesTheBitsOfOneRankForEachFamily(String name) throws Exception {
        Path model = GOLDENS.resolve(name);
        assumeTrue(Files.isDirectory(model), "there is no " + model);
        EngineOptions options = options(Activations.F32);
        List<String> one = ask(model, options);
        for (GangOptions layout :
                List.of(
                        GangOptions.NONE.expertParallel(2),
                        GangOptions.NONE.apart(1, 3),
                        GangOptions.NONE.apart(1, 2).microBatches(2))) {
            assertEquals(one, ask(model, with(options, layout)), layout.toString());
        }
    }

    /** Ranks with attention that have no requests take part in what the others compute. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void ranksWithAttentionServeEachItsOwn(int microBatches) throws Exception {
        EngineOptions options = options(Activations.F32);
        Path model = DemoEngine.moeFolder();
        List<String> one = ask(model, options);
        for (GangOptions layout :
                List.of(
                        new GangOptions(
                                2, 2, 0, 0, 1, 0, microBatches, 20_000, 0, 2, "in this process"),
                        new GangOptions(
                                0, 2, 2, 0, 1, 0, microBatches, 20_000, 0, 4, "in this process"))) {
            GangConnector connector = GangConnector.inProcess(4);
            List<Thread> followers = new ArrayList<>();
            for (int rank = 2; rank < layout.worldSize(); rank++) {
                followers.add(follow(model, options.gang(layout.process(rank, 4, "x")), connector));
            }
            int world = layout.worldSize();
            Engine[] engines = new Engine[2];
            Thread second =
                    Thread.ofPlatform()
                            .start(() ->
                                    engines[1] =
                                            CortadoEngineProvider.open(
                                                    model,
                                                    options.gang(layout.process(1, world, "x")),
                                                    connector));
            engines[0] =
                    CortadoEngineProvider.open(
                            model, options.gang(layout.process(0, world, "x")), connector);
            second.join();
            assertEquals(one, ask(engines[0], requests(0)), "the other idles");
            assertEquals(one.subList(2, 6), ask(engines[1], requests(2)), "the other idles");
            List<GenerationStream> beside = requests(0).stream().map(engines[1]::generate).toList();
            assertEquals(one, ask(engines[0], requests(0)), "both are busy");
            for (GenerationStream stream : beside) {
                assertNull(Answers.read(stream).failure);
            }
            engines[0].close();
            for (Thread follower : followers) {
                follower.join();
            }
            engines[1].close();
        }
    }

    private static Thread follow(Path model, EngineOptions options, GangConnector connector) {
        return Thread.ofPlatform()
                .start(() -> CortadoEngineProvider.follow(model, options, connector));
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 2})
    void servesSpeculationAndCachedPrefixes(int microBatches) throws Exception {
        EngineOptions options = options(Activations.F32);
        Path model = DemoEngine.moeFolder();
        List<String> one = ask(model, options);
        EngineOptions spread =
                with(options, GangOptions.NONE.expertParallel(2).microBatches(microBatches));
        Speculation ngram = Speculation.ngram(4).adaptive(false);
        assertEquals(one, ask(model, spread.speculation(ngram)));
        Speculation trees =
                Speculation.draftModel(DemoEngine.draftFolder().toString(), 4)
                        .tree(10, 3)
                        .adaptive(false);
        try (Engine engine = Engine.open(model, spread.speculation(trees))) {
            assertEquals(one, ask(engine, requests(0)));
            EngineStats.Drafts drafts = engine.stats().drafts();
            assertTrue(drafts.tokens() > 4 * drafts.verified(), drafts::toString);
        }
        try (Engine engine = Engine.open(model, spread)) {
            assertEquals(one, ask(engine, requests(0)));
            assertEquals(one, ask(engine, requests(0)), "from the prefix cache");
        }
    }

    @Test
    void tellsHowLongRanksHaveWaited() throws Exception {
        EngineOptions options = options(Activations.F32);
        Path model = DemoEngine.moeFolder();
        try (Engine engine = Engine.open(model, with(options, GangOptions.NONE.apart(1, 1)))) {
            List<RankTimes> before = engine.rankTimes();
            ask(engine, requests(0));
            List<RankTimes> after = engine.rankTimes();
            assertEquals(2, after.size());
            for (int rank = 0; rank < 2; rank++) {
                RankTimes times = after.get(rank);
                assertEquals(rank, times.rank());
                assertEquals(rank == 1, times.holdsExperts());
                assertTrue(times.waitedNanos() > before.get(rank).waitedNanos(), times.toString());
            }
        }
        try (Engine engine = Engine.open(model, options)) {
            assertEquals(List.of(), engine.rankTimes());
        }
    }

    /** Experts move all the time while requests run: none is lost and no bit changes. */
    @ParameterizedTest
    @CsvSource({"0, 170, 10", "2, 25, 2"})
    void movesExpertsWhileItServes(int microBatches, int turns, int moves) throws Exception {
        EngineOptions options = options(Activations.F32).prefixCaching(false);
        Path model = DemoEngine.moeFolder();
        List<String> one = ask(model, options);
        EngineOptions spread =
                with(
                        options,
                        GangOptions.NONE.apart(1, 4).balance(4, 0).microBatches(microBatches));
        ModelExecutor[] executor = new ModelExecutor[1];
        try (Engine engine =
                CortadoEngineProvider.open(
                        model,
                        spread,
                        _ -> {},
                        made -> {
                            executor[0] = (ModelExecutor) made;
                            return made;
                        })) {
            Random random = new Random(3);
            for (int turn = 0; turn < turns; turn++) {
                executor[0].propose(placements(random));
                assertEquals(one, ask(engine, requests(0)), "turn " + turn);
            }
            assertTrue(executor[0].numPlacements() > moves, "moved " + executor[0].numPlacements());
        }
    }

    /** Eight experts in four groups, of which two are on each of two machines with two ranks. */
    @Test
    void keepsTheExpertsOfAGroupOnOneMachine() throws Exception {
        Path model = GOLDENS.resolve("deepseek-v3");
        assumeTrue(Files.isDirectory(model), "there is no " + model);
        EngineOptions options = options(Activations.F32);
        GangOptions apart = GangOptions.NONE.apart(1, 4).balance(4, 1);
        GangOptions nodes = apart.expertNodes(2);
        for (ExpertPlacement layer : ExpertGang.placements(nodes, ModelConfig.read(model))) {
            assertEquals(4, machinesOfGroups(layer));
        }
        assertTrue(
                machinesOfGroups(ExpertGang.placements(apart, ModelConfig.read(model)).getFirst())
                        > 4);
        assertEquals(ask(model, options), ask(model, with(options, nodes)));
        refused(
                "expert-nodes",
                () -> Engine.open(model, with(options, apart.expertNodes(3))).close());
        Path ungrouped = DemoEngine.moeFolder();
        refused("expert-nodes", () -> Engine.open(ungrouped, with(options, nodes)).close());
        refused("expert-nodes", () -> GangOptions.NONE.apart(1, 4).expertNodes(2));
    }

    /** Machines that each group has experts on, summed up. */
    private static int machinesOfGroups(ExpertPlacement layer) {
        Set<Integer> found = new HashSet<>();
        for (int rank = 0; rank < layer.numRanks(); rank++) {
            for (int expert : layer.expertsOf(rank)) {
                found.add(expert / 2 * 2 + rank / 2);
            }
        }
        return found.size();
    }

    /** Five layers of eight experts with four copies, three on each of four ranks. */
    private static List<ExpertPlacement> placements(Random random) {
        List<ExpertPlacement> layers = new ArrayList<>();
        for (int layer = 0; layer < 5; layer++) {
            long[] loads = random.longs(8, 1, 1000).toArray();
            layers.add(new ExpertBalancer(4, 4).plan(loads));
        }
        return layers;
    }

    @Test
    void refusesWhatCannotBeShared() throws Exception {
        GangOptions two = GangOptions.NONE.expertParallel(2);
        Path dense = DemoEngine.folder();
        EngineOptions options = options(Activations.F32);
        refused("expert-parallel-size", () -> Engine.open(dense, options.gang(two)).close());
        refused("expert-ranks", () -> two.apart(1, 2));
        refused("expert-ranks", () -> GangOptions.NONE.apart(1, 0));
        refused("attention-ranks", () -> two.apart(3, 0));
        refused("redundant-experts", () -> GangOptions.NONE.balance(1, 0));
        refused("micro-batches", () -> GangOptions.NONE.microBatches(2));
        refused("micro-batches", () -> two.microBatches(-1));
        refused("micro-batches", () -> two.microBatches(3));
        refused("WORLD_SIZE", () -> two.process(0, 3, "x"));
        refused("RANK", () -> two.process(2, 2, "x"));
        refused("RENDEZVOUS", () -> two.process(0, 2, ""));
        Path model = DemoEngine.moeFolder();
        GangOptions both = GangOptions.NONE.apart(2, 2);
        refused("attention-ranks", () -> Engine.open(model, options.gang(both)).close());
        refused(
                "redundant-experts",
                () -> Engine.open(model, options.gang(two.balance(3, 0))).close());
    }

    private static void refused(String option, Runnable made) {
        EngineException e = assertThrows(EngineException.class, made::run);
        assertEquals(option, e.param());
        assertTrue(String.valueOf(e.getMessage()).contains(option), e.getMessage());
    }
}
