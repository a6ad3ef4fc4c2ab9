package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cortado.api.Engine;
import io.cortado.api.EngineOptions.Activations;
import io.cortado.gang.UcxTransport;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Ranks in processes of their own, over UCX. */
@Timeout(value = 900, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ExpertProcessesTest {
    private static final int TIMEOUT_MS = 20_000;

    /** Of exchanges where a rank is lost. */
    private static final int SHORT_MS = 2000;

    private static final int ROUNDS = Integer.getInteger("cortado.fault.rounds", 12);

    @TempDir Path folder;

    @BeforeEach
    void requireUcx() {
        String absence = UcxTransport.absence();
        assumeTrue(absence == null, "no UCX: " + absence);
    }

    private List<EngineRank> start(
            Path model,
            String kind,
            int attention,
            int experts,
            int microBatches,
            int timeoutMs,
            String place,
            IntFunction<@Nullable Halt> halts)
            throws IOException {
        int processes = kind.equals("ep") ? experts : attention + experts;
        List<EngineRank> ranks = new ArrayList<>();
        for (int rank = 0; rank < processes; rank++) {
            List<String> arguments =
                    new ArrayList<>(
                            List.of(
                                    model.toString(),
                                    kind,
                                    Integer.toString(attention),
                                    Integer.toString(experts),
                                    Integer.toString(rank),
                                    Integer.toString(processes),
                                    folder.resolve(place).toString(),
                                    Integer.toString(timeoutMs),
                                    Integer.toString(microBatches)));
            Halt halt = halts.apply(rank);
            if (halt != null) {
                arguments.add(halt.text());
            }
            ranks.add(new EngineRank(arguments.toArray(String[]::new)));
        }
        return ranks;
    }

    private static List<String> ofOneRank(Path model) throws Exception {
        try (Engine engine = Engine.open(model, ExpertRanksTest.options(Activations.F32))) {
            return ExpertRanksTest.ask(engine, ExpertRanksTest.requests(0));
        }
    }

    @ParameterizedTest
    @CsvSource({
        "ep,1,2,demo-moe,1",
        "ep,1,2,demo-moe,2",
        "apart,1,1,deepseek-v3,2",
        "apart,2,2,demo-moe,2",
        "apart,1,3,qwen3-moe,1"
    })
    void givesTheBitsOfOneRank(
            String kind, int attention, int experts, String name, int microBatches)
            throws Exception {
        Path model =
                name.equals("demo-moe")
                        ? DemoEngine.moeFolder()
                        : ExpertRanksTest.GOLDENS.resolve(name);
        assumeTrue(Files.isDirectory(model), "there is no " + model);
        List<String> one = ofOneRank(model);
        List<EngineRank> ranks =
                start(model, kind, attention, experts, microBatches, TIMEOUT_MS, "meet", _ -> null);
        try {
            for (EngineRank rank : ranks.subList(0, attention)) {
                rank.expect("READY");
            }
            for (EngineRank rank : ranks.subList(0, attention)) {
                assertEquals(one, rank.answers(0));
                assertEquals(one.subList(3, one.size()), rank.answers(3));
            }
            ranks.getFirst().finish();
            ranks.getFirst().expect("ENDED");
            for (EngineRank rank : ranks.subList(attention, ranks.size())) {
                rank.expect("ENDED");
                assertEquals(0, rank.exit());
            }
        } finally {
            ranks.forEach(EngineRank::close);
        }
    }

    /**
     * Killed or stopped in each phase: the others fail by the deadline, with words. Phases take
     * turns; ranks, harms and micro-batches are drawn.
     */
    @Test
    void whatOneRankLosesAllLose() throws Exception {
        Random random = new Random(11);
        Halt.Place[] places = Halt.Place.values();
        Halt.Kind[] kinds = Halt.Kind.values();
        for (int round = 0; round < ROUNDS; round++) {
            Halt.Kind kind = kinds[round % kinds.length];
            boolean isFirst = kind == Halt.Kind.HELLO;
            Halt halt =
                    new Halt(
                            places[round / kinds.length % places.length],
                            kind,
                            isFirst ? 0 : random.nextInt(20));
            // The first exchange has long, for what others load.
            String signal = isFirst || random.nextBoolean() ? "KILL" : "STOP";
            lose(round, 1 + random.nextInt(2), random.nextInt(3), halt, signal);
        }
    }

    private void lose(int round, int microBatches, int lost, Halt halt, String signal)
            throws Exception {
        String at =
                "round %d: SIG%s rank %d at %s, micro-batches %d"
                        .formatted(round, signal, lost, halt.text(), microBatches);
        List<EngineRank> ranks =
                start(
                        DemoEngine.moeFolder(),
                        "apart",
                        1,
                        2,
                        microBatches,
                        SHORT_MS,
                        "meet" + round,
                        rank -> rank == lost ? halt : null);
        try {
            ranks.getFirst().tell("loop");
            EngineRank harmed = ranks.remove(lost);
            harmed.await("AT");
            harmed.signal(signal);
            long start = System.nanoTime();
            for (EngineRank rank : ranks) {
                String told = rank.await("FAILED");
                assertTrue(told.startsWith("FAILED DEVICE_LOST"), at + ": " + told);
                assertEquals(3, rank.exit(), at);
            }
            long ms = (System.nanoTime() - start) / 1_000_000;
            assertTrue(ms < 30L * SHORT_MS, at + ": ranks ended after ms=" + ms);
            harmed.close();
        } finally {
            ranks.forEach(EngineRank::close);
        }
    }

    @Test
    void ranksOfOtherModelsDoNotBegin() throws Exception {
        assumeTrue(Files.isDirectory(ExpertRanksTest.GOLDENS), "there are no goldens");
        String place = folder.resolve("meet").toString();
        String model = DemoEngine.moeFolder().toString();
        String other = ExpertRanksTest.GOLDENS.resolve("qwen3-moe").toString();
        try (EngineRank first =
                        new EngineRank(model, "ep", "1", "2", "0", "2", place, "3000", "1");
                EngineRank second =
                        new EngineRank(other, "ep", "1", "2", "1", "2", place, "3000", "1")) {
            for (EngineRank rank : List.of(first, second)) {
                String told = rank.next();
                assertTrue(told.contains("model="), told);
                assertEquals(3, rank.exit());
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"apart,1,1,WORLD_SIZE=3", "ep,2,2,micro-batches=2"})
    void ranksThatDisagreeDoNotBegin(String kind, String experts, String microBatches, String what)
            throws Exception {
        String model = DemoEngine.moeFolder().toString();
        String place = folder.resolve("meet").toString();
        try (EngineRank first =
                        new EngineRank(model, "ep", "1", "2", "0", "2", place, "3000", "1");
                EngineRank second =
                        new EngineRank(
                                model, kind, "1", experts, "1", "2", place, "3000", microBatches)) {
            for (EngineRank rank : List.of(first, second)) {
                String told = rank.next();
                assertTrue(told.startsWith("FAILED DEVICE_LOST"), told);
                assertTrue(told.contains(what), told);
                assertEquals(3, rank.exit());
            }
        }
        assertNull(UcxTransport.absence());
    }
}
