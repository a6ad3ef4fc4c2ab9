package io.cortado.server.record;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.Engine;
import io.cortado.api.EngineOptions;
import io.cortado.api.GenerationEvent;
import io.cortado.api.GenerationRequest;
import io.cortado.api.GenerationStream;
import io.cortado.api.Prompt;
import io.cortado.api.SamplingParams;
import io.cortado.api.Scheduling;
import io.cortado.demo.DemoModel;
import io.cortado.server.JsonOut;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class RecordReplayTest {
    @TempDir Path folder = Path.of("");

    private Engine open() throws IOException {
        return Engine.open(
                DemoModel.unpack(folder.resolve("demo")), EngineOptions.defaults().maxWaiting(3));
    }

    /** Different lengths and draws; no seed but one, so that the recorder has to draw them. */
    private static List<GenerationRequest> requests() {
        SamplingParams hot = SamplingParams.builder().temperature(1).maxTokens(24).build();
        return List.of(
                new GenerationRequest(Prompt.text("Once upon"), hot).id("req-a"),
                new GenerationRequest(
                        Prompt.user("What is paged attention?"),
                        hot.toBuilder().n(3).topP(0.9f).build()),
                new GenerationRequest(
                        Prompt.tokens(5, 6, 7),
                        SamplingParams.greedy(40).toBuilder().ignoreEos(true).build()),
                new GenerationRequest(
                                Prompt.text("The capital"),
                                hot.toBuilder().seed(7L).topK(5).minP(0.01f).build(),
                                true)
                        .scheduling(Scheduling.DEFAULT.tenant("acme")));
    }

    private Path record(Engine engine) throws Exception {
        Path file = folder.resolve("record.jsonl");
        RecordHeader header = RecordHeader.of("m", List.of("--threads=2"), engine.model());
        try (RecordingEngine recorder = new RecordingEngine(engine, file, header)) {
            for (GenerationRequest request : requests()) {
                try (GenerationStream stream = recorder.generate(request)) {
                    while (stream.next() != null) {
                        // recorded on its way
                    }
                }
            }
            leaveEarly(recorder);
        }
        return file;
    }

    /** As a client that hangs up. */
    private static void leaveEarly(Engine engine) throws InterruptedException {
        SamplingParams params =
                SamplingParams.builder().temperature(1).maxTokens(400).ignoreEos(true).build();
        try (GenerationStream stream =
                engine.generate(new GenerationRequest(Prompt.text("Once"), params))) {
            int tokens = 0;
            while (tokens < 5) {
                if (stream.next() instanceof GenerationEvent.Delta delta) {
                    tokens += delta.ids().length;
                }
            }
        }
    }

    @Test
    void replaysEveryTokenAndSeesOneThatDiffers() throws Exception {
        Path file = record(open());
        Recording recording = Recording.read(file);
        assertEquals(5, recording.requests().size());
        assertEquals(List.of("--threads=2"), recording.header().flags());
        RecordedRequest.Outcome left = recording.requests().getLast().outcome();
        assertNotNull(left);
        assertTrue(left.outputs().getFirst().isCut());
        assertTrue(left.outputs().getFirst().ids().length >= 5);
        try (Engine engine = open()) {
            recording.header().requireSameModel(engine.model());
            for (boolean keepsTimes : new boolean[] {true, false}) {
                List<Replay.Result> results =
                        new Replay(engine, keepsTimes, 3).run(recording.requests());
                for (Replay.Result result : results) {
                    assertTrue(result.isCompared());
                    assertNull(result.difference());
                }
                assertTrue(results.stream().mapToInt(Replay.Result::tokens).sum() > 60);
            }
            List<RecordedRequest> wrong = List.of(changed(recording.requests().get(2)));
            Replay.Result result = new Replay(engine, false, 1).run(wrong).getFirst();
            assertNotNull(result.difference());
            assertTrue(result.difference().startsWith("answer 0, token 3: "), result.toString());
        }
    }

    private static RecordedRequest changed(RecordedRequest request) {
        RecordedRequest.Outcome outcome = request.outcome();
        assertNotNull(outcome);
        int[] ids = outcome.outputs().getFirst().ids().clone();
        ids[3]++;
        return request.outcome(
                new RecordedRequest.Outcome(
                        List.of(new RecordedRequest.Output(ids, "length")), null, null));
    }

    @Test
    void keepsWhatIsNeededToRunARequestAgainAndToExplainIt() throws Exception {
        List<RecordedRequest> recorded = Recording.read(record(open())).requests();
        GenerationRequest first = recorded.getFirst().request();
        assertEquals("req-a", first.id());
        assertNotNull(first.params().seed());
        assertEquals("acme", recorded.get(3).request().scheduling().tenant());
        assertTrue(recorded.get(3).request().echo());
        assertEquals(7L, recorded.get(3).request().params().seed());
        assertArrayEquals(new int[] {5, 6, 7}, recorded.get(2).promptIds());
        RecordedRequest.Outcome outcome = recorded.get(1).outcome();
        assertNotNull(outcome);
        assertEquals(3, outcome.outputs().size());
        assertNotNull(outcome.report());
        assertEquals(3, outcome.report().answers());
        assertEquals(
                outcome.outputs().stream().mapToInt(output -> output.ids().length).sum(),
                outcome.report().timings().completionTokens());
    }

    @Test
    void writesANewFileForItsOwnerAlone() throws Exception {
        Path file = record(open());
        assertEquals(
                "rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(file)));
        try (Engine engine = open()) {
            RecordHeader header = RecordHeader.of(null, List.of(), engine.model());
            assertThrows(
                    FileAlreadyExistsException.class,
                    () -> new RecordingEngine(engine, file, header));
        }
    }

    @Test
    void readsARecordingOfAProcessThatWasKilledAndRefusesOtherFiles() throws Exception {
        String text = Files.readString(record(open()));
        Path cut = folder.resolve("cut.jsonl");
        Files.writeString(cut, text.substring(0, text.length() - 30));
        List<RecordedRequest> requests = Recording.read(cut).requests();
        assertEquals(5, requests.size());
        assertNull(requests.getLast().outcome());
        for (String wrong :
                List.of("", "{}", "[]", "x", text.replaceFirst("\"seed\":", "\"sead\":"))) {
            Files.writeString(cut, wrong);
            assertThrows(IOException.class, () -> Recording.read(cut), wrong);
        }
    }

    @Test
    void refusesToCompareWithAnotherModel() throws Exception {
        try (Engine engine = open()) {
            RecordHeader other = new RecordHeader(null, List.of(), "X", 1, 2);
            assertThrows(
                    IllegalArgumentException.class, () -> other.requireSameModel(engine.model()));
        }
    }

    @Test
    void writesEverySamplingParameter() throws Exception {
        SamplingParams params = EveryParam.CHANGED;
        assertEquals(List.of(), EveryParam.sameAsTheDefault());
        JsonOut out = new JsonOut();
        ParamsJson.write(out, params);
        JsonNode node = JsonMapper.shared().readTree(out.toString());
        assertEquals(params, ParamsJson.params(node));
    }
}
