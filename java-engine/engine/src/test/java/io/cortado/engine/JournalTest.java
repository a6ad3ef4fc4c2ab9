package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.RequestReport;
import io.cortado.kv.KvCache;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class JournalTest {
    private static final long STEP_NANOS = 1000;

    private final long[] now = {1};

    /** A loop whose steps take a fixed time and all else none. */
    private final class Bed {
        final KvCache cache;
        final Door door;
        final EngineLoop loop;

        Bed(int blocks, int seqs, int budget) {
            cache = new KvCache(blocks);
            door = new Door(seqs, 10_000, 0);
            SimulatedExecutor executor =
                    new SimulatedExecutor(1000, blocks) {
                        @Override
                        public void await(Batch batch) {
                            now[0] += STEP_NANOS;
                            super.await(batch);
                        }

                        @Override
                        public long bytesPerBlock() {
                            return 1_000_000;
                        }
                    };
            loop =
                    new EngineLoop(
                            cache,
                            Limits.of(seqs, budget, blocks),
                            OrderedQueue.fcfs(),
                            executor,
                            door,
                            () -> now[0]);
        }

        void put(int prompt, int output, int seed) {
            loop.put(Requests.request(door, prompt, 1, output, seed));
        }

        void run() {
            boolean works = true;
            while (works) {
                works = loop.step();
            }
        }

        /** By the order of arrival. */
        List<RequestReport> reports() {
            return loop.reports(Integer.MAX_VALUE).reversed();
        }
    }

    @Test
    void tellsThatARequestWaitedForAPlaceAndBehindWhom() {
        Bed bed = new Bed(64, 1, 64);
        bed.put(20, 4, 1);
        bed.put(20, 4, 2);
        bed.run();
        RequestReport second = bed.reports().get(1);
        RequestReport.Queue queue = second.queue();
        assertEquals(1, queue.waitingAhead());
        assertEquals(1, queue.admitted());
        assertEquals(4, queue.steps());
        assertEquals(20, queue.promptTokens());
        assertEquals(4, queue.outputTokens());
        assertEquals(second.timings().queuedNanos(), queue.placesNanos());
        assertEquals(4 * STEP_NANOS, queue.placesNanos());
        assertEquals(0, queue.blocksNanos() + queue.budgetNanos());
        assertEquals("length", second.outcome());
        assertEquals(4, second.timings().completionTokens());
    }

    @Test
    void tellsThatARequestWaitedForBlocks() {
        Bed bed = new Bed(4, 8, 64);
        bed.put(40, 8, 1);
        bed.put(40, 8, 2);
        bed.run();
        RequestReport.Queue queue = bed.reports().get(1).queue();
        assertEquals(8 * STEP_NANOS, queue.blocksNanos());
        assertEquals(0, queue.placesNanos() + queue.budgetNanos());
    }

    @Test
    void countsTheChunksOfAPromptAndWithWhomTheyShareTheirSteps() {
        Bed bed = new Bed(64, 8, 64);
        bed.put(200, 1, 1);
        bed.run();
        RequestReport.Prefill alone = bed.reports().getFirst().prefill();
        assertEquals(4, alone.chunks());
        assertEquals(200, alone.tokens());
        assertEquals(200, alone.stepTokens());
        assertEquals(0, alone.maxOthers());
        bed.loop.forgetPrefixes();
        for (int i = 0; i < 2; i++) {
            bed.put(30, 2, i);
        }
        bed.run();
        RequestReport.Prefill shared = bed.reports().get(1).prefill();
        assertEquals(1, shared.chunks());
        assertEquals(1, shared.maxOthers());
        assertEquals(60, shared.stepTokens());
    }

    @Test
    void tellsWhatTheCacheHeldUntilItIsReset() {
        Bed bed = new Bed(64, 8, 64);
        bed.put(40, 2, 1);
        bed.run();
        bed.put(40, 2, 2);
        bed.run();
        bed.loop.forgetPrefixes();
        bed.put(40, 2, 3);
        bed.run();
        assertEquals(
                List.of(0, 32, 0),
                bed.reports().stream().map(r -> r.prefill().cachedTokens()).toList());
        assertEquals(32, bed.loop.counters().snapshot().cache().reusedTokens());
        assertEquals(120, bed.loop.counters().snapshot().cache().queriedTokens());
    }

    @Test
    void sharesOutTheTimeOfAllStepsByTokens() {
        Bed bed = new Bed(64, 8, 64);
        for (int i = 0; i < 4; i++) {
            bed.put(1 + i, 8, i);
        }
        bed.run();
        long steps = bed.loop.counters().snapshot().steps();
        long shares = bed.reports().stream().mapToLong(r -> r.cost().deviceNanos()).sum();
        long all = steps * STEP_NANOS;
        assertEquals(all, bed.loop.counters().snapshot().deviceNanos());
        assertTrue(shares <= all && shares > all - 4 * steps, "shares=" + shares + " of " + all);
        // One block each of 1 MB, from the first step on.
        assertEquals(8 * STEP_NANOS / 1e3, bed.reports().getFirst().cost().kvByteSeconds(), 1e-9);
    }

    @Test
    void tellsHowOftenARequestWasThrownOutAndWhatThatCost() {
        Bed bed = new Bed(5, 8, 64);
        bed.put(16, 40, 1);
        bed.put(17, 40, 2);
        bed.run();
        int thrown = 0;
        for (RequestReport report : bed.reports()) {
            RequestReport.Preemption preemption = report.preemption();
            thrown += preemption.count();
            assertEquals(preemption.count() > 0, preemption.waitedNanos() > 0);
            assertEquals(40, report.timings().completionTokens());
        }
        assertTrue(thrown > 0);
        assertEquals(bed.loop.counters().snapshot().preemptions(), thrown);
    }

    @Test
    void tellsOfLiveRequestsToo() {
        Bed bed = new Bed(64, 1, 64);
        bed.put(10, 20, 1);
        bed.put(10, 20, 2);
        for (int i = 0; i < 3; i++) {
            bed.loop.step();
        }
        assertEquals(
                List.of("running", "waiting"),
                bed.reports().stream().map(RequestReport::outcome).toList());
        RequestReport.Queue waits = bed.reports().get(1).queue();
        assertEquals(2 * STEP_NANOS, bed.reports().get(1).timings().queuedNanos());
        assertEquals(STEP_NANOS, waits.placesNanos()); // the turn under way is not counted yet
        assertEquals(2, waits.steps());
        assertEquals(1, bed.loop.reports(1).size());
        bed.run();
        assertEquals(2, bed.reports().size());
    }

    @Test
    void keepsABoundedHistoryNewestFirst() {
        Bed bed = new Bed(64, 8, 64);
        for (int i = 0; i < History.SIZE + 5; i++) {
            bed.put(1, 1, i);
            bed.run();
        }
        List<RequestReport> reports = bed.loop.reports(Integer.MAX_VALUE);
        assertEquals(History.SIZE, reports.size());
        assertEquals(History.SIZE + 4, reports.getFirst().number());
        assertEquals(5, reports.getLast().number());
    }

    @Test
    void writesEventsThatAgreeWithTheCounters(@TempDir Path folder) throws Exception {
        Bed bed = new Bed(5, 8, 64);
        Path file = folder.resolve("events.jfr");
        List<String> names =
                List.of(
                        "Step",
                        "RequestStarted",
                        "FirstToken",
                        "RequestEnded",
                        "Preemption",
                        "CacheHit",
                        "CacheMove");
        try (Recording recording = new Recording()) {
            names.forEach(name -> recording.enable("io.cortado." + name));
            recording.start();
            for (int i = 0; i < 6; i++) {
                bed.put(16 + i % 2, 40, i);
            }
            bed.run();
            recording.stop();
            recording.dump(file);
        }
        List<RecordedEvent> events = new ArrayList<>();
        for (RecordedEvent event : RecordingFile.readAllEvents(file)) {
            if (event.getEventType().getName().startsWith("io.cortado.")) {
                events.add(event);
            }
        }
        Map<String, Long> counts =
                events.stream()
                        .map(event -> event.getEventType().getName().substring(11))
                        .collect(Collectors.groupingBy(Function.identity(), Collectors.counting()));
        var stats = bed.loop.counters().snapshot();
        assertEquals(stats.steps(), counts.get("Step"));
        assertEquals(6, counts.get("RequestStarted"));
        assertEquals(6, counts.get("FirstToken"));
        assertEquals(6, counts.get("RequestEnded"));
        assertEquals(stats.preemptions(), counts.get("Preemption"));
        assertTrue(counts.getOrDefault("CacheHit", 0L) > 0, counts.toString());
        assertEquals(
                stats.cache().evictions(),
                events.stream()
                        .filter(event -> event.hasField("evicted"))
                        .mapToLong(event -> event.getLong("evicted"))
                        .sum());
        assertEquals(
                stats.stepTokens().sum(),
                events.stream()
                        .filter(event -> event.hasField("deviceTime") && event.hasField("tokens"))
                        .mapToLong(event -> event.getInt("tokens"))
                        .sum());
    }
}
