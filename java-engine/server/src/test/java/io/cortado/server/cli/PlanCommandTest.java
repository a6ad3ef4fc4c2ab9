package io.cortado.server.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class PlanCommandTest {
    private record Outcome(int code, String out, String errors) {}

    @TempDir Path folder;

    private static synchronized Outcome run(String... args) {
        PrintStream outBefore = System.out;
        PrintStream errBefore = System.err;
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(err, true, StandardCharsets.UTF_8));
        try {
            int code = Main.run(args);
            return new Outcome(
                    code,
                    out.toString(StandardCharsets.UTF_8),
                    err.toString(StandardCharsets.UTF_8));
        } finally {
            System.setOut(outBefore);
            System.setErr(errBefore);
        }
    }

    @Test
    void printsATableAndAnObjectOfTheSamePlan() {
        Outcome text = run("plan", "--prompt-tokens=100", "--output-tokens=20", "--batch=3");
        assertEquals(0, text.code(), text.errors());
        for (String start : new String[] {"weights ", "kv cache ", "ttft ", "tpot ", "rates "}) {
            assertTrue(text.out().lines().anyMatch(line -> line.startsWith(start)), text.out());
        }
        Outcome json =
                run("plan", "--json", "--prompt-tokens=100", "--output-tokens=20", "--batch=3");
        JsonNode plan = JsonMapper.shared().readTree(json.out());
        assertEquals(3, plan.at("/load/concurrency").asInt());
        assertEquals(3, plan.at("/prediction/running_at_once").asInt());
        assertTrue(plan.at("/prediction/ttft_ms").asDouble() > 0);
        assertTrue(plan.at("/memory/weight_bytes_by_format/bf16").asLong() > 1_000_000);
        assertTrue(plan.at("/rates/from_cache").asBoolean(), "measured by the run before");
        assertTrue(plan.at("/refusal").isNull());
    }

    @Test
    void refusesWithACodeTheNumbersAndTheFlagThatHelps() {
        String[] tight = {"--max-model-len=1024", "--kv-cache-memory=1M"};
        Outcome text = run("plan", tight[0], tight[1]);
        assertEquals(1, text.code());
        assertTrue(text.errors().startsWith("error: KV_DOES_NOT_FIT: "), text.errors());
        assertTrue(text.errors().contains("--max-model-len"), text.errors());
        assertTrue(text.out().contains("weights "), text.out());
        Outcome json = run("plan", "--json", tight[0], tight[1]);
        assertEquals(1, json.code());
        JsonNode refusal = JsonMapper.shared().readTree(json.out()).path("refusal");
        assertEquals("KV_DOES_NOT_FIT", refusal.path("code").asString());
        assertEquals("--max-model-len", refusal.path("flag").asString());
        // What serves refuses with the same words.
        Outcome generate = run("generate", "--prompt=x", tight[0], tight[1]);
        assertEquals(1, generate.code());
        assertTrue(
                generate.errors().contains(refusal.path("message").asString()), generate.errors());
    }

    @Test
    void printsRanksOfTheirOwnAsTextAndAsAnObject() {
        String[] args = {"plan", "demo-moe", "--disaggregate", "--ranks=4", "--hardware=h100"};
        Outcome text = run(args);
        assertEquals(0, text.code(), text.errors());
        for (String start : new String[] {"apart ", "times ", "idle ", "gives ", "together "}) {
            assertTrue(text.out().lines().anyMatch(line -> line.startsWith(start)), text.out());
        }
        Outcome json = run(args[0], args[1], args[2], args[3], args[4], "--batch=64", "--json");
        JsonNode plan = JsonMapper.shared().readTree(json.out());
        assertEquals(4, plan.at("/apart/ranks").asInt());
        assertEquals(64, plan.at("/apart/batch").asDouble(), 1e-9);
        assertTrue(plan.at("/apart/attention_us").asDouble() > 0);
        int together = plan.at("/expert_parallel/ranks").asInt(); // as many as give most for each
        assertTrue(together >= 1 && together <= 4, json.out());
        assertTrue(plan.at("/refusal").isNull());
    }

    @Test
    void refusesRanksWithoutExpertsWithoutRoomAndUnasked() {
        Outcome dense = run("plan", "--disaggregate");
        assertEquals(1, dense.code());
        assertTrue(dense.errors().contains("has none"), dense.errors());
        Outcome full =
                run(
                        "plan",
                        "demo-moe",
                        "--disaggregate",
                        "--ranks=2",
                        "--hardware=h100",
                        "--batch=9999999",
                        "--json");
        assertEquals(1, full.code());
        JsonNode refusal = JsonMapper.shared().readTree(full.out()).path("refusal");
        assertEquals("KV_DOES_NOT_FIT", refusal.path("code").asString());
        assertTrue(run("plan", "--ranks=4").errors().contains("--disaggregate"));
    }

    @Test
    void namesAFamilyThatIsNotBuilt() throws IOException {
        Path config = folder.resolve("config.json");
        Files.writeString(config, "{\"model_type\":\"nosuch\"}");
        Outcome outcome = run("plan", "--dummy-weights=" + config);
        assertEquals(1, outcome.code());
        assertTrue(outcome.errors().contains("model_type=nosuch"), outcome.errors());
    }
}
