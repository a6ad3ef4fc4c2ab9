package io.cortado.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.ResourceLock;
import org.junit.jupiter.api.parallel.Resources;

@ResourceLock(Resources.SYSTEM_ERR)
class MainTest {
    private record Ran(int code, String errors) {}

    private static Ran run(String... args) {
        PrintStream before = System.err;
        ByteArrayOutputStream errors = new ByteArrayOutputStream();
        try (PrintStream captured = new PrintStream(errors, true, StandardCharsets.UTF_8)) {
            System.setErr(captured);
            int code =
                    Main.commandLine()
                            .setErr(new PrintWriter(captured, true, StandardCharsets.UTF_8))
                            .setOut(new PrintWriter(Writer.nullWriter()))
                            .execute(args);
            return new Ran(code, errors.toString(StandardCharsets.UTF_8));
        } finally {
            System.setErr(before);
        }
    }

    private static void assertRefused(String message, String... args) {
        Ran ran = run(args);
        assertEquals(2, ran.code(), ran.errors());
        assertTrue(ran.errors().contains(message), ran.errors());
    }

    @Test
    void unknownVerbsAndFlagsAreRefused() {
        assertRefused("nonsense", "bench", "nonsense");
        assertRefused("--nonsense", "bench", "latency", "--nonsense");
        assertRefused("fp7", "bench", "latency", "--activations", "fp7");
    }

    @Test
    void valuesOutsideTheirRangeAreRefusedBeforeAnythingIsLoaded() {
        assertRefused("runs=0", "bench", "latency", "--runs", "0");
        assertRefused("batch=0", "bench", "latency", "--batch", "0");
        assertRefused("vs=vllm", "bench", "latency", "--vs", "vllm");
        assertRefused("vs=vllm", "bench", "moe", "--vs", "vllm");
        assertRefused("weights=q5_0", "bench", "moe", "--vs", "llamacpp", "--weights", "q5_0");
        assertRefused("output-len=1", "bench", "latency", "--vs", "llamacpp", "--output-len", "1");
        assertRefused("request-rate=0.0", "bench", "serve", "--request-rate", "0");
        assertRefused("goodput=ttft", "bench", "serve", "--goodput", "ttft");
        assertRefused("threads=5000", "bench", "throughput", "--threads", "5000");
        assertRefused("seconds=5", "bench", "chaos", "--seconds", "5");
        assertRefused("heap=huge", "bench", "chaos", "--heap", "huge");
        assertRefused("kernel=nothing", "bench", "kernels", "--kernel", "nothing");
    }

    @Test
    void aModelAndDummyWeightsExcludeEachOther() {
        assertRefused(
                "exclude each other", "bench", "latency", "some-model", "--dummy-weights", "c");
        assertRefused("dummy-weights=/no/such", "bench", "latency", "--dummy-weights", "/no/such");
    }

    @Test
    void refusesSuitesAndPathsThatAreNotThere() {
        assertRefused("SUITE must be one of", "conformance", "nonsense", ".");
        assertRefused("does not exist", "conformance", "tokenizers", "/no/such/path");
        assertRefused("limit=0", "conformance", "tokenizers", ".", "--limit", "0");
    }

    @Test
    void aSloNamesItsMeasureAndItsMilliseconds() {
        assertEquals(new Slo(Slo.Measure.TPOT, 50), Slo.parse("tpot:50"));
        assertTrue(Slo.parse("ttft:100").keeps(100, 1e9, 1e9));
        assertThrows(BenchException.class, () -> Slo.parse("tpot:-1"));
        assertThrows(BenchException.class, () -> Slo.parse("p99:5"));
        assertThrows(BenchException.class, () -> Slo.parse("50"));
    }
}
