package io.cortado.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.http.HttpResponse;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** What a router of replicas reads besides metrics. */
class ReplicaHeadersTest {
    private static final String FORMAT = "endpoint-load-metrics-format";

    private static String header(HttpResponse<String> answer, String name) {
        return answer.headers().firstValue(name).orElse("none");
    }

    @Test
    void tellsModelAndLoadWithAnswersStreamsAndErrors() throws Exception {
        ServerOptions options = ServerOptions.defaults().servedModelNames(List.of("m", "org/ü"));
        try (TestServer server = new TestServer(options)) {
            List<HttpResponse<String>> answers =
                    List.of(
                            server.chat("hi", ""),
                            server.chat("hi", "\"stream\":true"),
                            server.chat("full", ""),
                            server.complete("\"prompt\":\"x\",\"max_tokens\":-1"));
            for (HttpResponse<String> answer : answers) {
                assertEquals("m", header(answer, "x-cortado-model"));
                assertTrue(header(answer, "x-cortado-requests-running").matches("[0-9]+"));
                assertTrue(header(answer, "x-cortado-requests-waiting").matches("[0-9]+"));
                assertTrue(header(answer, "x-cortado-kv-cache-usage").matches("[01]\\.[0-9]{4}"));
                assertEquals("none", header(answer, "endpoint-load-metrics"));
            }
            assertEquals(429, answers.get(2).statusCode());
            assertEquals("1", header(answers.get(2), "retry-after"));
            assertEquals("none", header(server.get("/version"), "x-cortado-model"));
        }
    }

    @Test
    void encodesAModelNameThatIsNoHeader() throws Exception {
        ServerOptions options = ServerOptions.defaults().servedModelNames(List.of("org/ü\r\nx"));
        try (TestServer server = new TestServer(options)) {
            HttpResponse<String> answer = server.post("/v1/completions", "{}");
            assertEquals("org/%C3%BC%0D%0Ax", header(answer, "x-cortado-model"));
        }
    }

    @Test
    void reportsLoadInTheFormatThatARouterAsksFor() throws Exception {
        try (TestServer server = TestServer.start()) {
            String body = TestServer.chatBody("hi", "");
            String text =
                    header(
                            server.post("/v1/chat/completions", body, FORMAT, "text"),
                            "endpoint-load-metrics");
            assertTrue(
                    text.matches(
                            "TEXT named_metrics\\.kv_cache_usage_perc=[01]\\.[0-9]{4},"
                                    + " named_metrics\\.num_requests_waiting=[0-9]+"),
                    text);
            String json =
                    header(
                            server.post("/v1/chat/completions", body, FORMAT, "JSON"),
                            "endpoint-load-metrics");
            JsonNode report = TestServer.MAPPER.readTree(json.substring("JSON ".length()));
            assertTrue(report.at("/named_metrics/kv_cache_usage_perc").isNumber());
            assertTrue(report.at("/named_metrics/num_requests_waiting").isIntegralNumber());
            HttpResponse<String> other = server.post("/v1/chat/completions", body, FORMAT, "BIN");
            assertEquals(200, other.statusCode());
            assertEquals("none", header(other, "endpoint-load-metrics"));
        }
    }

    /**
     * The calls of llm-d's sidecar: first to the server that prefills, then to the one that
     * decodes.
     */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void takesTransfersOfKeysAndValuesAndSaysThatThereIsNoneToWaitFor(boolean isPrefill)
            throws Exception {
        try (TestServer server = TestServer.start()) {
            String params =
                    "\"kv_transfer_params\":{\"do_remote_decode\":%b,\"do_remote_prefill\":%b,"
                            + "\"remote_engine_id\":\"e\",\"remote_block_ids\":null,"
                            + "\"remote_host\":null,\"remote_port\":null}";
            HttpResponse<String> answer =
                    server.chat("hi", params.formatted(isPrefill, !isPrefill));
            assertEquals(200, answer.statusCode(), answer.body());
            JsonNode told = TestServer.json(answer).get("kv_transfer_params");
            assertEquals(
                    "{\"do_remote_decode\":false,\"do_remote_prefill\":false,"
                            + "\"remote_engine_id\":\"e\",\"remote_block_ids\":null,"
                            + "\"remote_host\":null,\"remote_port\":null}",
                    told.toString());
            assertFalse(TestServer.json(server.chat("hi", "")).has("kv_transfer_params"));
            TestServer.chunks(
                    server.chat("hi", "\"stream\":true," + params.formatted(false, true)));
        }
    }

    @Test
    void refusesTransferParamsThatAreNone() throws Exception {
        try (TestServer server = TestServer.start()) {
            JsonNode error = TestServer.error(400, server.chat("hi", "\"kv_transfer_params\":[1]"));
            assertEquals("kv_transfer_params", error.get("param").stringValue());
            error =
                    TestServer.error(
                            400,
                            server.complete(
                                    "\"prompt\":\"x\",\"kv_transfer_params\":{\"do_remote_prefill\":1}"));
            assertEquals("kv_transfer_params.do_remote_prefill", error.get("param").stringValue());
        }
    }

    @Test
    void isReadyUnderBothNamesAndNamesNoParentOfItsModels() throws Exception {
        try (TestServer server = TestServer.start()) {
            assertEquals(200, server.get("/health/ready").statusCode());
            JsonNode model = TestServer.json(server.get("/v1/models")).get("data").get(0);
            assertTrue(model.has("parent") && model.get("parent").isNull());
            TestServer.error(404, server.get("/v1/kv-events"));
        }
    }
}
