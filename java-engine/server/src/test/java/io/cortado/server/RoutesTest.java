package io.cortado.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.EngineException;
import java.net.Socket;
import java.net.http.HttpResponse;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import tools.jackson.databind.JsonNode;

class RoutesTest {

    @Test
    void listsModelsAndFindsThemByTheirId() throws Exception {
        try (TestServer server = TestServer.start()) {
            JsonNode list = TestServer.json(server.get("/v1/models"));
            assertEquals("list", list.get("object").stringValue());
            assertEquals("m", list.at("/data/0/id").stringValue());
            assertEquals("model", list.at("/data/1/object").stringValue());
            assertEquals(512, list.at("/data/0/max_model_len").intValue());
            for (String id : List.of("m", "org/m", "org%2Fm", "org%2fm?x=1")) {
                assertEquals(200, server.get("/v1/models/" + id).statusCode(), id);
            }
            TestServer.error(404, server.get("/v1/models/other"));
            assertTrue(
                    server.raw(
                                    "GET /v1/models/%zz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                            .startsWith("HTTP/1.1 400 "));
        }
    }

    @Test
    void tokenizesAndDetokenizes() throws Exception {
        try (TestServer server = TestServer.start()) {
            JsonNode tokens =
                    TestServer.json(
                            server.post(
                                    "/tokenize",
                                    "{\"prompt\":\"abc\",\"return_token_strs\":true}"));
            assertEquals(3, tokens.get("count").intValue());
            assertEquals(512, tokens.get("max_model_len").intValue());
            assertEquals("<97>", tokens.at("/token_strs/0").stringValue());
            JsonNode text =
                    TestServer.json(
                            server.post(
                                    "/detokenize", "{\"tokens\":" + tokens.get("tokens") + "}"));
            assertEquals("abc", text.get("prompt").stringValue());
            String chat = TestServer.chatBody("hi", "\"add_generation_prompt\":true");
            assertEquals(
                    "user:hi".length(),
                    TestServer.json(server.post("/tokenize", chat)).get("count").intValue());
            TestServer.error(400, server.post("/detokenize", "{\"tokens\":[1000]}"));
            TestServer.error(400, server.post("/detokenize", "{}"));
            TestServer.error(400, server.post("/tokenize", "{\"prompt\":7}"));
            TestServer.error(
                    400, server.post("/tokenize", "{\"prompt\":\"a\",\"chat_template\":\"x\"}"));
        }
    }

    @Test
    void answersOtherMethodsAndPathsInJson() throws Exception {
        try (TestServer server = TestServer.start()) {
            HttpResponse<String> get = server.get("/v1/chat/completions");
            TestServer.error(405, get);
            assertEquals("POST, OPTIONS", get.headers().firstValue("allow").get());
            TestServer.error(405, server.post("/health", "{}"));
            TestServer.error(404, server.get("/"));
            TestServer.error(404, server.post("/api/pull", "{}"));
            TestServer.error(404, server.post("/v1/rerank", "{}"));
            String end = " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
            String head = server.raw("HEAD /health" + end);
            assertTrue(head.startsWith("HTTP/1.1 200 "), head);
            assertTrue(head.endsWith("\r\n\r\n"), head);
            String options = server.raw("OPTIONS /health" + end);
            assertTrue(options.startsWith("HTTP/1.1 204 "), options);
            assertTrue(options.toLowerCase().contains("allow: get, head, options"), options);
        }
    }

    @Test
    void asksForTheKeyOnAllRoutesButTheProbes() throws Exception {
        ServerOptions options = ServerOptions.defaults().apiKey("s3cret-key");
        try (TestServer server = new TestServer(options)) {
            for (String path : List.of("/v1/models", "/metrics", "/version", "/nowhere")) {
                HttpResponse<String> none = server.get(path);
                JsonNode error = TestServer.error(401, none);
                assertEquals("invalid_api_key", error.get("code").stringValue());
                assertEquals("Bearer", none.headers().firstValue("www-authenticate").get());
                TestServer.error(401, server.get(path, "Authorization", "Bearer wrong"));
                TestServer.error(401, server.get(path, "Authorization", "Basic s3cret-key"));
            }
            for (String path :
                    List.of(
                            "/v1/chat/completions",
                            "/v1/completions",
                            "/v1/embeddings",
                            "/tokenize",
                            "/detokenize")) {
                TestServer.error(401, server.post(path, "{}"));
            }
            assertEquals(200, server.get("/health").statusCode());
            assertEquals(200, server.get("/ready").statusCode());
            assertEquals(
                    200,
                    server.get("/v1/models", "Authorization", "Bearer s3cret-key").statusCode());
            String metrics = server.get("/metrics", "Authorization", "bearer s3cret-key").body();
            assertFalse(metrics.contains("s3cret"));
            assertFalse(String.join("\n", server.log).contains("s3cret"));
        }
    }

    @Test
    void passesHarmlessRequestIdsThroughBesideItsOwn() throws Exception {
        try (TestServer server = TestServer.start()) {
            HttpResponse<String> first = server.get("/version", "X-Request-Id", "abc-1");
            HttpResponse<String> second =
                    server.get("/version", "X-Request-Id", "http://127.0.0.1");
            assertEquals("abc-1", first.headers().firstValue("x-request-id").get());
            assertEquals("abc-1", first.headers().firstValue("x-client-request-id").get());
            String own = second.headers().firstValue("x-cortado-request-id").get();
            assertEquals(own, second.headers().firstValue("x-request-id").get());
            assertNotEquals(own, first.headers().firstValue("x-cortado-request-id").get());
            TestServer.await(
                    "the log has both ids",
                    () ->
                            server.log.stream()
                                    .anyMatch(line -> line.contains(" client_request=abc-1 ")));
            assertTrue(second.headers().firstValue("x-client-request-id").isEmpty());
        }
    }

    @Test
    void namesAllowedOriginsOnly() throws Exception {
        ServerOptions options =
                ServerOptions.defaults().allowed(List.of("proxy"), List.of("https://ui.example"));
        try (TestServer server = new TestServer(options)) {
            HttpResponse<String> response = server.get("/version", "Origin", "https://ui.example");
            assertEquals(
                    "https://ui.example",
                    response.headers().firstValue("access-control-allow-origin").get());
            TestServer.error(403, server.get("/version", "Origin", "https://other.example"));
            assertTrue(
                    server.raw("GET /health HTTP/1.1\r\nHost: proxy\r\nConnection: close\r\n\r\n")
                            .startsWith("HTTP/1.1 200 "));
        }
    }

    @Test
    void refusesUnknownFieldsInStrictMode() throws Exception {
        ServerOptions options =
                ServerOptions.defaults().servedModelNames(List.of("m")).strict(true);
        try (TestServer server = new TestServer(options)) {
            JsonNode error = TestServer.error(400, server.chat("hi", "\"tempratur\":1"));
            assertEquals("tempratur", error.get("param").stringValue());
            assertEquals(200, server.chat("hi", "\"user\":\"u\",\"top_k\":3").statusCode());
            assertEquals(200, server.complete("\"prompt\":\"x\",\"echo\":true").statusCode());
        }
    }

    @Test
    void countsInOurNamesAndInThoseOfVllm() throws Exception {
        try (TestServer server = TestServer.start()) {
            server.chat("hi", "\"stream\":true");
            server.complete("\"prompt\":\"x\",\"max_tokens\":2");
            server.post("/v1/chat/completions", "{\"model\":\"evil\\\"} 1\",\"messages\":[]}");
            String text = server.get("/metrics").body();
            for (String name :
                    List.of(
                            "vllm:num_requests_running",
                            "vllm:num_requests_waiting",
                            "vllm:kv_cache_usage_perc",
                            "vllm:gpu_cache_usage_perc",
                            "cortado_num_requests_running",
                            "vllm:time_to_first_token_seconds_bucket",
                            "vllm:time_per_output_token_seconds_sum",
                            "vllm:inter_token_latency_seconds_count",
                            "vllm:e2e_request_latency_seconds_count")) {
                assertTrue(text.contains("\n" + name + "{model_name=\"m\""), name);
            }
            assertTrue(text.contains("vllm:kv_cache_usage_perc{model_name=\"m\"} 0.5"), text);
            assertTrue(text.contains("vllm:generation_tokens_total{model_name=\"m\"} 8\n"), text);
            assertTrue(
                    text.contains(
                            "vllm:request_success_total{model_name=\"m\",finished_reason=\"stop\"} 1\n"));
            assertTrue(text.contains("finished_reason=\"length\"} 1\n"));
            assertTrue(
                    text.contains(
                            "e2e_request_latency_seconds_bucket{model_name=\"m\",le=\"+Inf\"} 2\n"));
            assertFalse(text.contains("evil"));
        }
    }

    @Test
    void logsNumbersAndNeverPrompts() throws Exception {
        try (TestServer server = TestServer.start()) {
            server.chat("my private words", "");
            server.chat("broken", "");
            server.get("/v1/models/%1b%5b31m%0aINFO?key=hush");
            // A line is written after its answer has left, so the client may be ahead of it.
            TestServer.await(
                    "a line each",
                    () -> server.log.stream().filter(l -> l.contains("path=")).count() >= 3);
            String log = String.join("\n", server.log);
            assertTrue(log.contains("completion_tokens=6 finish=stop"), log);
            assertTrue(log.contains("fault=java.lang.IllegalStateException at "), log);
            assertFalse(log.contains("private") || log.contains("secret") || log.contains("hush"));
            assertEquals("\\u001b[31m\\u000ax\\u0022", Log.escape("\u001b[31m\nx\""));
        }
    }

    @Test
    void drainsByFinishingWhatRunsAndRefusingTheRest() throws Exception {
        try (TestServer server = TestServer.start()) {
            CompletableFuture<HttpResponse<String>> running = async(server, "slow");
            TestServer.await("it runs", () -> server.engine.active.get() == 1);
            CompletableFuture<Boolean> drained = drain(server, 5000);
            TestServer.await("drain has begun", () -> status(server, "/ready") == 503);
            assertEquals(200, status(server, "/health"));
            HttpResponse<String> late = server.chat("hi", "");
            TestServer.error(503, late);
            assertTrue(late.headers().firstValue("retry-after").isPresent());
            assertTrue(drained.get());
            assertTrue(running.get().body().endsWith("data: [DONE]\n\n"));
            String body = TestServer.chatBody("hi", "");
            String raw = server.raw(TestServer.rawPost("/v1/chat/completions", body));
            assertTrue(raw.contains("connection: close"), raw);
        }
    }

    @Test
    void endsWhatOutlivesTheGraceWithAnError() throws Exception {
        try (TestServer server = TestServer.start()) {
            CompletableFuture<HttpResponse<String>> stream = async(server, "hang");
            String whole = TestServer.chatBody("hang", "");
            try (Socket socket = server.open(TestServer.rawPost("/v1/chat/completions", whole))) {
                TestServer.await("they run", () -> server.engine.active.get() == 2);
                assertFalse(drain(server, 50).get());
                List<JsonNode> chunks = TestServer.chunks(stream.get());
                assertEquals("shutting_down", chunks.getLast().at("/error/code").stringValue());
                assertTrue(TestServer.readAll(socket).startsWith("HTTP/1.1 503 "));
            }
            assertEquals(0, server.engine.active.get());
        }
    }

    @Test
    void endsARequestAtItsTimeLimit() throws Exception {
        ServerOptions.Limits limits =
                new ServerOptions.Limits(1 << 20, 1 << 22, 9, 16, 9, 999, 999, 999, 999, 100);
        ServerOptions options =
                ServerOptions.defaults().servedModelNames(List.of("m")).limits(limits);
        try (TestServer server = new TestServer(options)) {
            TestServer.error(504, server.chat("hang", ""));
            TestServer.await("nothing runs", () -> server.engine.active.get() == 0);
        }
    }

    @Test
    void isNotHealthyWhenTheEngineIsDead() throws Exception {
        try (TestServer server = TestServer.start()) {
            server.engine.close();
            TestServer.error(503, server.get("/health"));
            TestServer.error(503, server.get("/ready"));
            TestServer.error(503, server.chat("hi", ""));
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"DEVICE_LOST", "INTERNAL"})
    void isNotHealthyWhenTheEngineHasFailed(EngineException.Code code) throws Exception {
        try (TestServer server = TestServer.start()) {
            server.engine.failure = new EngineException(code, "secret of the driver");
            TestServer.error(503, server.get("/health"));
            TestServer.error(503, server.get("/ready"));
            HttpResponse<String> refused = server.chat("hi", "");
            TestServer.error(503, refused);
            assertTrue(refused.body().contains("engine_dead"), refused.body());
            assertFalse(refused.body().contains("secret"), refused.body());
        }
    }

    private static CompletableFuture<HttpResponse<String>> async(TestServer server, String script) {
        return CompletableFuture.supplyAsync(() -> {
            try {
                return server.chat(script, "\"stream\":true");
            } catch (Exception e) {
                throw new AssertionError(e);
            }
        });
    }

    private static CompletableFuture<Boolean> drain(TestServer server, long graceMs) {
        return CompletableFuture.supplyAsync(() -> {
            try {
                return server.server.drain(graceMs);
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
        });
    }

    private static int status(TestServer server, String path) {
        try {
            return server.get(path).statusCode();
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }
}
