package io.cortado.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.EngineOptions.SchedulingPolicy;
import io.cortado.api.GenerationRequest;
import io.cortado.api.RequestReport;
import io.cortado.api.Scheduling;
import io.cortado.server.TrafficOptions.SloClass;
import java.net.http.HttpResponse;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

/** How requests stand beside each other, and what is told of single ones. */
class TrafficTest {
    private static TestServer server(SchedulingPolicy policy) throws Exception {
        return new TestServer(
                ServerOptions.defaults()
                        .servedModelNames(List.of("m"))
                        .traffic(
                                new TrafficOptions(
                                        policy,
                                        Map.of("chat", new SloClass(500, 50)),
                                        Set.of(),
                                        true,
                                        false)));
    }

    private static Scheduling last(TestServer server) {
        return server.engine.seen.getLast().scheduling();
    }

    @Test
    void handsFieldsOnToTheScheduler() throws Exception {
        try (TestServer server = server(SchedulingPolicy.PRIORITY)) {
            String salt = "🙂".repeat(128);
            server.chat(
                    "hi",
                    "\"priority\":-7,\"user\":\"acme\",\"ttft_ms\":300,\"tpot_ms\":20,\"cache_salt\":\""
                            + salt
                            + "\"");
            assertEquals(new Scheduling(-7, "acme", 300, 20, salt), last(server));
            server.complete("\"prompt\":\"x\",\"priority\":3,\"slo_class\":\"chat\"");
            assertEquals(new Scheduling(3, "", 500, 50, ""), last(server));
            server.chat("hi", "\"slo_class\":\"chat\",\"tpot_ms\":9,\"user\":null");
            assertEquals(new Scheduling(0, "", 500, 9, ""), last(server));
        }
    }

    @Test
    void believesTheGatewayBeforeTheUserAndTheBodyBeforeTheGateway() throws Exception {
        try (TestServer server = server(SchedulingPolicy.FAIR)) {
            server.post(
                    "/v1/chat/completions",
                    TestServer.chatBody(
                            "hi", "\"user\":\"me\",\"tpot_ms\":7,\"slo_class\":\"chat\""),
                    "x-gateway-inference-fairness-id",
                    "team",
                    "x-slo-ttft-ms",
                    "249.2",
                    "x-slo-tpot-ms",
                    "25");
            assertEquals(new Scheduling(0, "team", 250, 7, ""), last(server));
        }
    }

    @ParameterizedTest
    @CsvSource({
        "x-slo-ttft-ms,0",
        "x-slo-ttft-ms,1e3",
        "x-slo-tpot-ms,99999999999999999999",
        "x-gateway-inference-fairness-id,LONG"
    })
    void refusesAHeaderByItsName(String name, String value) throws Exception {
        try (TestServer server = server(SchedulingPolicy.FAIR)) {
            HttpResponse<String> response =
                    server.post(
                            "/v1/chat/completions",
                            TestServer.chatBody("hi", ""),
                            name,
                            value.equals("LONG") ? "x".repeat(257) : value);
            assertEquals(name, TestServer.error(400, response).get("param").stringValue());
        }
    }

    @Test
    void refusesAClassThatIsNotThereAndAPriorityThatNobodyLooksAt() throws Exception {
        try (TestServer server = server(SchedulingPolicy.FAIR)) {
            JsonNode error = TestServer.error(400, server.chat("hi", "\"slo_class\":\"x\""));
            assertTrue(error.get("message").stringValue().contains("[chat]"));
            error = TestServer.error(400, server.chat("hi", "\"priority\":1"));
            assertEquals("priority", error.get("param").stringValue());
            assertEquals(200, server.chat("hi", "\"priority\":0").statusCode());
            error =
                    TestServer.error(
                            400, server.chat("hi", "\"user\":\"" + "u".repeat(257) + "\""));
            assertEquals("user", error.get("param").stringValue());
        }
    }

    @Test
    void putsWhatARequestCostIntoItsUsageWhereAsked() throws Exception {
        try (TestServer server = server(SchedulingPolicy.FCFS)) {
            JsonNode usage = TestServer.json(server.chat("hi", "")).get("usage");
            assertEquals(null, usage.get("cost"));
            assertEquals(1, usage.get("prompt_tokens_details").get("cached_tokens").intValue());
            JsonNode details = usage.get("completion_tokens_details");
            assertEquals(3, details.get("accepted_prediction_tokens").intValue());
            assertEquals(2, details.get("rejected_prediction_tokens").intValue());
            JsonNode cost =
                    TestServer.json(server.complete("\"prompt\":[\"x\",\"y\"],\"cost\":true"))
                            .get("usage")
                            .get("cost");
            assertEquals(480, cost.get("device_ms").doubleValue());
            assertEquals(25_000_000, cost.get("kv_byte_seconds").doubleValue());
            assertEquals(64, cost.get("cached_tokens").intValue());
            assertEquals(2, cost.get("preemptions").intValue());
            assertEquals(2048, cost.get("recomputed_tokens").intValue());
            assertEquals(200, cost.get("queue_ms").doubleValue());
            String stream = "\"stream\":true,\"cost\":true";
            JsonNode last =
                    TestServer.chunks(
                                    server.chat(
                                            "hi",
                                            stream
                                                    + ",\"stream_options\":{\"include_usage\":true}"))
                            .getLast();
            assertTrue(last.get("usage").has("cost"));
            JsonNode error = TestServer.error(400, server.chat("hi", stream));
            assertEquals("cost", error.get("param").stringValue());
        }
    }

    @Test
    void tellsOfRequestsByTheirIdAndNeverTheirWords() throws Exception {
        try (TestServer server = server(SchedulingPolicy.FCFS)) {
            HttpResponse<String> answer = server.chat("my private words", "\"user\":\"acme\"");
            String header = answer.headers().firstValue("x-cortado-request-id").orElseThrow();
            String id = TestServer.json(answer).get("id").stringValue();
            for (String name : List.of(header, id)) {
                HttpResponse<String> told = server.get("/debug/requests/" + name);
                assertEquals(200, told.statusCode(), told.body());
                JsonNode requests = TestServer.json(told).get("requests");
                assertEquals(1, requests.size());
                RequestReport report = ReportJson.read(requests.get(0));
                assertEquals(server.engine.reports.getLast(), report);
                assertEquals("acme", report.tenant());
            }
            server.chat("hi", "");
            HttpResponse<String> all = server.get("/debug/requests");
            assertEquals(2, TestServer.json(all).get("requests").size());
            assertTrue(!all.body().contains("private"));
            TestServer.error(404, server.get("/debug/requests/req-0"));
            GenerationRequest seen = server.engine.seen.getFirst();
            assertEquals(header, seen.id());
        }
    }

    @Test
    void resetsThePrefixCache() throws Exception {
        try (TestServer server = server(SchedulingPolicy.FCFS)) {
            assertEquals(200, server.post("/reset_prefix_cache", "{}").statusCode());
            assertEquals(1, server.engine.resets.get());
        }
    }

    @Test
    void hasNoDebugRoutesUnlessAsked() throws Exception {
        try (TestServer server = TestServer.start()) {
            TestServer.error(404, server.get("/debug/requests"));
            TestServer.error(404, server.get("/debug/requests/req-1"));
            TestServer.error(404, server.post("/reset_prefix_cache", "{}"));
        }
    }
}
