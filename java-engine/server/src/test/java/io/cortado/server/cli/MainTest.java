package io.cortado.server.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.GenerationEvent;
import io.cortado.api.GenerationEvent.Completed;
import io.cortado.api.Timings;
import io.cortado.api.TokenLogprob;
import io.cortado.api.Usage;
import io.cortado.server.Reports;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MainTest {

    private record Outcome(int code, String errors) {}

    private static synchronized Outcome run(String... args) {
        PrintStream before = System.err;
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        System.setErr(new PrintStream(bytes, true, StandardCharsets.UTF_8));
        try {
            return new Outcome(Main.run(args), bytes.toString(StandardCharsets.UTF_8));
        } finally {
            System.setErr(before);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "serve --no-such-flag",
                "serve --port x",
                "serve --scheduling-policy lifo",
                "serve --tenant-weights a",
                "replay",
                "serve --pooling-type max",
                "serve --dtype float16",
                "serve --chat-template x",
                "chat --temperature hot",
                "generate --activations f64",
                "tokenize",
                "brew"
            })
    void refusesAWrongCommandLineInTwoLines(String line) {
        Outcome outcome = run(line.split(" ", -1));
        assertEquals(2, outcome.code(), outcome.errors());
        assertEquals(2, outcome.errors().lines().count(), outcome.errors());
        assertTrue(outcome.errors().startsWith("error: "), outcome.errors());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "serve /no/such/folder",
                "serve --kv-cache-memory lots",
                "serve --override-pooler-config {}x",
                "serve --override-pooler-config {\"pooling_type\":\"MAX\"}",
                "serve --override-pooler-config {\"softmax\":true}",
                "serve --pooling-type cls --override-pooler-config {\"pooling_type\":\"LAST\"}",
                "serve --max-num-seqs 0",
                "serve --kv-offload-gb -1",
                "serve --kv-offload-gb 1 --no-enable-prefix-caching",
                "serve --kv-cache-dtype fp8_e5m2",
                "serve --kv-offload-disk-gb -1",
                "serve --kv-offload-disk-gb 1 --kv-offload-dir .",
                "serve --kv-offload-gb 1 --kv-offload-disk-gb 1",
                "serve --kv-offload-gb 1 --kv-offload-dir .",
                "serve --tensor-parallel-size 0",
                "serve --tensor-parallel-size 65",
                "serve --tensor-parallel-size 3",
                "serve --tensor-parallel-size 2 --kv-offload-gb 1",
                "generate --tensor-parallel-size 2 --device simt:0 --prompt x",
                "serve --tenant-weights a=2",
                "serve --scheduling-policy fair --tenant-weights a=0",
                "serve --slo-class chat=500",
                "serve --slo-class chat=0:50",
                "serve --record /dev/null",
                "replay /no/such/file",
                "replay /dev/null",
                "explain --record /dev/null",
                "explain --url http://127.0.0.1:1",
                "explain a/b",
                "chat --dummy-weights /no/such/config.json --prompt x",
                "generate"
            })
    void saysInTwoLinesWhyItFailed(String line) {
        Outcome outcome = run(line.split(" ", -1));
        assertEquals(1, outcome.code(), outcome.errors());
        assertEquals(2, outcome.errors().lines().count(), outcome.errors());
    }

    @Test
    void readsSizes() {
        assertEquals(1024, EngineFlags.bytes("1024"));
        assertEquals(512L << 20, EngineFlags.bytes("512M"));
        assertEquals(3L << 29, EngineFlags.bytes("1.5GiB"));
        assertThrows(IllegalArgumentException.class, () -> EngineFlags.bytes("-1"));
        assertThrows(IllegalArgumentException.class, () -> EngineFlags.bytes("G"));
    }

    @Test
    void writesAResultAsOneLineOfJson() {
        TokenLogprob top = new TokenLogprob(6, "\n", new byte[] {10}, -2f, 2, List.of());
        TokenLogprob token = new TokenLogprob(5, "a", new byte[] {97}, -0.5f, 1, List.of(top));
        Completed completed =
                new Completed(
                        new Usage(1, 1, 0, 0, 0),
                        new Timings(1_000_000, 2_000_000, 3_000_000, 1),
                        Reports.report("", "", 0, 1, 1));
        Answered answer = new Answered();
        answer.add(new GenerationEvent.Delta(0, new int[] {5}, "a", List.of(token)));
        assertEquals(
                "{\"prompt_ids\":[1],\"ids\":[5],\"text\":\"a\",\"logprobs\":[{\"id\":5,\"token\":\"a\","
                        + "\"logprob\":-0.5,\"rank\":1,\"top\":[{\"id\":6,\"token\":\"\\n\",\"logprob\":-2.0,\"rank\":2}]}],"
                        + "\"finish_reason\":\"stop\",\"timings\":{\"queued_ms\":1.0,\"ttft_ms\":2.0,\"tpot_ms\":0.0,\"e2e_ms\":3.0}}",
                ResultJson.of(new int[] {1}, answer, true, null, completed));
    }
}
