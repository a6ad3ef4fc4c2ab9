package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.Constraint;
import io.cortado.api.Engine;
import io.cortado.api.EngineOptions;
import io.cortado.api.EngineStats;
import io.cortado.api.GenerationRequest;
import io.cortado.api.GenerationStream;
import io.cortado.api.Penalties;
import io.cortado.api.Prompt;
import io.cortado.api.SamplingParams;
import io.cortado.api.Speculation;
import io.cortado.api.TokenLogprob;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Masks that come late change when answers come and nothing of what they are. */
@Timeout(value = 300, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class LateMaskTest {
    private static final long BLOCK_BYTES = 1536L * 16 * Float.BYTES;

    private static final List<Constraint> CONSTRAINTS =
            List.of(
                    new Constraint.JsonSchema(
                            "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\","
                                    + "\"maxLength\":20},\"n\":{\"type\":\"integer\"}},\"required\":"
                                    + "[\"name\",\"n\"],\"additionalProperties\":false}"),
                    new Constraint.Regex("[a-z ]{30,40}"),
                    new Constraint.Regex("[A-Za-z ,.]{1,90}"),
                    new Constraint.Choice(List.of("中文字", "maybe so", "yes, but", "漢漢漢漢")),
                    new Constraint.Grammar("root ::= [0-9] (\"+\" [0-9]){1,9}"));

    /** Makes masks when it is told to. */
    private static final class HeldMasks implements Consumer<Runnable> {
        private final Queue<Runnable> queue = new ArrayDeque<>();
        private boolean isOpen;

        @Override
        public void accept(Runnable work) {
            synchronized (this) {
                if (!isOpen) {
                    queue.add(work);
                    return;
                }
            }
            work.run();
        }

        void open() {
            synchronized (this) {
                isOpen = true;
            }
            for (Runnable work = poll(); work != null; work = poll()) {
                work.run();
            }
        }

        synchronized @Nullable Runnable poll() {
            return queue.poll();
        }
    }

    /** Each takes as long as some steps. */
    private static Consumer<Runnable> slow(long nanos) {
        return work ->
                Thread.ofVirtual()
                        .start(() -> {
                            LockSupport.parkNanos(nanos);
                            work.run();
                        });
    }

    private static Engine open(EngineOptions options, Consumer<Runnable> masks) throws IOException {
        return CortadoEngineProvider.open(DemoEngine.folder(), options, masks);
    }

    private static EngineOptions patient() {
        return DemoEngine.options().maxModelLen(256).maskWaitMs(600_000);
    }

    private static EngineOptions impatient() {
        return DemoEngine.options().maxModelLen(256).maskWaitMs(0);
    }

    private static List<GenerationRequest> requests() {
        List<GenerationRequest> requests = new ArrayList<>();
        for (int i = 0; i < 6 * CONSTRAINTS.size(); i++) {
            var params = SamplingParams.builder().seed((long) i).maxTokens(60);
            switch (i / CONSTRAINTS.size()) {
                case 0 -> params.temperature(0);
                case 1 -> params.temperature(1.3f).n(1 + i % 3);
                case 2 -> params.temperature(0.8f).topP(0.9f).logprobs(2);
                case 3 -> params.temperature(0).logprobs(1);
                case 4 -> params.temperature(0).penalties(new Penalties(1.3f, 0, 0.2f));
                default -> params.temperature(0.9f).penalties(new Penalties(1.2f, 0.3f, 0));
            }
            params.constraint(CONSTRAINTS.get(i % CONSTRAINTS.size()));
            requests.add(
                    new GenerationRequest(
                            Prompt.text("Once upon a time ".repeat(6) + i), params.build()));
        }
        for (int i = 0; i < 3; i++) {
            requests.add(free(i, 40));
        }
        return requests;
    }

    private static GenerationRequest free(int seed, int maxTokens) {
        SamplingParams params =
                SamplingParams.builder()
                        .temperature(1)
                        .seed((long) seed)
                        .maxTokens(maxTokens)
                        .ignoreEos(true)
                        .build();
        return new GenerationRequest(Prompt.text("There was a " + seed), params);
    }

    /** All that there is of each answer. */
    private static List<String> run(Engine engine, List<GenerationRequest> requests)
            throws Exception {
        List<GenerationStream> streams = new ArrayList<>();
        for (GenerationRequest request : requests) {
            streams.add(engine.generate(request));
        }
        List<String> all = new ArrayList<>();
        for (GenerationStream stream : streams) {
            Answers answers = Answers.read(stream);
            assertNull(answers.failure);
            for (Answers.Answer each : answers.answers) {
                StringBuilder text = new StringBuilder();
                text.append(each.ids).append(each.reason).append(each.text());
                for (TokenLogprob logprob : each.logprobs) {
                    text.append(' ').append(bits(logprob));
                }
                all.add(text.toString());
            }
        }
        return all;
    }

    private static String bits(TokenLogprob of) {
        StringBuilder bits = new StringBuilder();
        bits.append(of.id()).append('#').append(of.rank());
        bits.append(Float.toHexString(of.logprob()));
        of.top().forEach(top -> bits.append(bits(top)));
        return bits.toString();
    }

    private static List<String> expected() throws Exception {
        try (Engine engine = open(patient(), MaskThreads.of(patient()).run())) {
            List<String> expected = run(engine, requests());
            assertEquals(EngineStats.LateMasks.NONE, engine.stats().lateMasks());
            return expected;
        }
    }

    private static void assertLate(Engine engine) throws Exception {
        EngineStats.LateMasks late = engine.stats().lateMasks();
        assertTrue(late.held() + late.kept() + late.redrawn() > 0, late::toString);
        assertEquals(0, DemoEngine.blocksUsedInTheEnd(engine));
    }

    @ParameterizedTest
    @ValueSource(longs = {100_000, 3_000_000, 30_000_000})
    void answersAreTheSameHoweverLongMasksTake(long nanos) throws Exception {
        List<String> expected = expected();
        try (Engine engine = open(impatient(), slow(nanos))) {
            assertEquals(expected, run(engine, requests()));
            assertLate(engine);
        }
        // Chunks, prefixes that the cache has, and sequences that are thrown out.
        EngineOptions tight =
                impatient()
                        .maxModelLen(128)
                        .maxNumBatchedTokens(16)
                        .maxNumSeqs(12)
                        .kvCacheBytes(20 * BLOCK_BYTES);
        try (Engine engine = open(tight, slow(nanos))) {
            assertEquals(expected, run(engine, requests()));
            assertEquals(expected, run(engine, requests()));
            assertLate(engine);
            assertTrue(engine.stats().preemptions() > 0);
            assertTrue(engine.stats().cache().reusedTokens() > 0);
        }
    }

    @Test
    void answersAreTheSameWithDrafts() throws Exception {
        List<String> expected = expected();
        List<Speculation> all =
                List.of(
                        Speculation.ngram(4).adaptive(false).lookup(1, 3),
                        Speculation.draftModel(DemoEngine.draftFolder().toString(), 4)
                                .adaptive(false),
                        Speculation.eagle3(DemoEngine.headFolder().toString(), 3).adaptive(false));
        for (Speculation speculation : all) {
            try (Engine engine = open(impatient().speculation(speculation), slow(2_000_000))) {
                assertEquals(expected, run(engine, requests()), speculation::toString);
                assertLate(engine);
                assertTrue(engine.stats().drafts().accepted() > 0);
            }
        }
    }

    /** A mask is made at any moment of a turn that has no other sequence to choose. */
    @Test
    void masksMayComeWhileAStepIsChosen() throws Exception {
        AtomicInteger made = new AtomicInteger();
        Consumer<Runnable> masks =
                work ->
                        Thread.ofVirtual()
                                .start(() -> {
                                    long until =
                                            System.nanoTime()
                                                    + 97 * (made.incrementAndGet() % 1000);
                                    while (System.nanoTime() < until) {
                                        Thread.onSpinWait();
                                    }
                                    work.run();
                                });
        try (Engine engine = open(impatient(), masks)) {
            for (int round = 0; round < 3; round++) {
                for (GenerationRequest request : requests()) {
                    assertNull(Answers.read(engine.generate(request)).failure);
                }
            }
            assertLate(engine);
        }
    }

    @Test
    void othersGoOnWhileAMaskIsNotMade() throws Exception {
        HeldMasks masks = new HeldMasks();
        try (Engine engine = open(impatient(), masks)) {
            GenerationRequest guided = requests().get(2 * CONSTRAINTS.size()); // not greedy
            GenerationStream waiting = engine.generate(guided);
            Answers others = Answers.read(engine.generate(free(1, 100)));
            assertEquals(100, others.ids().size());
            assertEquals(1, engine.stats().lateMasks().held(), "it sits out from then on");
            masks.open();
            Answers late = Answers.read(waiting);
            assertNull(late.failure);
            assertTrue(late.ids().size() > 3);
        }
    }

    @Test
    void greedyAnswersGoOnWithTokensThatTheConstraintAllows() throws Exception {
        HeldMasks masks = new HeldMasks();
        SamplingParams params =
                SamplingParams.builder()
                        .temperature(0)
                        .maxTokens(30)
                        .constraint(new Constraint.Regex("(.|\\n)*"))
                        .build();
        try (Engine engine = open(impatient(), masks)) {
            GenerationRequest request = new GenerationRequest(Prompt.text("Once"), params);
            Answers answers = Answers.read(engine.generate(request));
            EngineStats.LateMasks late = engine.stats().lateMasks();
            assertEquals(30, answers.ids().size());
            assertEquals(new EngineStats.LateMasks(0, 30, 0), late);
        }
    }

    /** What a greedy model says first here is no digit. */
    @Test
    void greedyAnswersWaitWhereTheConstraintRefusesTheirToken() throws Exception {
        HeldMasks masks = new HeldMasks();
        SamplingParams params =
                SamplingParams.builder()
                        .temperature(0)
                        .maxTokens(30)
                        .constraint(new Constraint.Regex("[0-9]{5}"))
                        .build();
        try (Engine engine = open(impatient(), masks)) {
            GenerationRequest request = new GenerationRequest(Prompt.text("Once upon"), params);
            GenerationStream waiting = engine.generate(request);
            assertEquals(20, Answers.read(engine.generate(free(1, 20))).ids().size());
            assertEquals(new EngineStats.LateMasks(0, 0, 1), engine.stats().lateMasks());
            masks.open();
            String text = Answers.read(waiting).answers.getFirst().text();
            assertTrue(text.matches("[0-9]{5}"), text);
        }
    }

    @Test
    void aRequestMayBeCancelledWhileItsMaskIsMade() throws Exception {
        HeldMasks masks = new HeldMasks();
        try (Engine engine = open(impatient(), masks)) {
            GenerationStream waiting = engine.generate(requests().get(2 * CONSTRAINTS.size()));
            Answers.read(engine.generate(free(1, 20)));
            waiting.close();
            assertEquals(0, DemoEngine.blocksUsedInTheEnd(engine));
            masks.open();
            assertEquals(20, Answers.read(engine.generate(free(2, 20))).ids().size());
        }
    }
}
