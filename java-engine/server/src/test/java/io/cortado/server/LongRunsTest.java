package io.cortado.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.Socket;
import java.net.http.HttpResponse;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What keeps a server going for weeks: given-up readers, slow steps told, bodies within the heap.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class LongRunsTest {
    private static TestServer fast() throws Exception {
        return new TestServer(
                ServerOptions.defaults().servedModelNames(List.of("m")).limits(TestServer.fast()));
    }

    private static Scrape scrape(TestServer server) throws Exception {
        return Scrape.of(server.get("/metrics").body());
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 5})
    void countsAndTellsAReaderThatDoesNotRead(int prompts) throws Exception {
        try (TestServer server = fast()) {
            String flood = "\"flood\"" + ",\"flood\"".repeat(prompts - 1);
            String body =
                    "{\"model\":\"m\",\"prompt\":["
                            + flood
                            + "],\"stream\":true,"
                            + "\"n\":4,\"max_tokens\":500,\"logprobs\":5}";
            try (Socket socket = server.open(TestServer.rawPost("/v1/completions", body))) {
                TestServer.await(
                        "it is told",
                        () -> server.log.stream().anyMatch(l -> l.contains("slow_reader=true")));
                assertTrue(socket.isConnected());
            }
            TestServer.await("nothing runs", () -> server.engine.active.get() == 0);
            assertEquals(prompts, server.engine.cancelled.get());
            assertEquals(1, scrape(server).value("cortado_slow_readers_total"));
        }
    }

    @Test
    void givesUpAClientThatDoesNotReadAnAnswerInOnePiece() throws Exception {
        try (TestServer server = fast()) {
            // Answers to requests in a row: more than what the buffers on the way hold.
            String get = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(500);
            try (Socket socket = server.open(get)) {
                TestServer.await(
                        "it is told",
                        () -> server.log.stream().anyMatch(l -> l.contains("slow_reader=true")));
                assertTrue(socket.isConnected());
            }
            assertEquals(1, scrape(server).value("cortado_slow_readers_total"));
        }
    }

    @Test
    void isNotReadyWhileAStepIsSlowAndStaysAlive() throws Exception {
        try (TestServer server = fast()) {
            assertEquals("{\"status\":\"ok\"}", server.get("/health").body());
            server.engine.isSlow = true;
            HttpResponse<String> ready = server.get("/ready");
            assertEquals("step_slow", TestServer.error(503, ready).get("code").stringValue());
            assertEquals(200, server.get("/health").statusCode());
            assertEquals("{\"status\":\"slow\"}", server.get("/health").body());
            assertEquals(1.5, scrape(server).value("cortado_step_age_seconds"));
        }
    }

    @Test
    void tellsWhatWaitsAndWhatWasRefused() throws Exception {
        try (TestServer server = fast()) {
            Scrape scrape = scrape(server);
            assertEquals(11, scrape.value("cortado_waiting_prompt_tokens"));
            assertEquals(2, scrape.value("cortado_queue_refusals_total", "bound", "requests"));
            assertEquals(1, scrape.value("cortado_queue_refusals_total", "bound", "tokens"));
            assertEquals(0, scrape.value("cortado_engine_failed"));
            HttpResponse<String> full = server.chat("full", "");
            TestServer.error(429, full);
            assertEquals("1", full.headers().firstValue("retry-after").get());
        }
    }

    @Test
    void boundsBodiesByTheHeap() {
        ServerOptions.Limits small = ServerOptions.Limits.of(48L << 20);
        assertEquals(1 << 20, small.bodyBytes());
        assertEquals(1 << 20, small.pendingBodyBytes());
        ServerOptions.Limits middle = ServerOptions.Limits.of(1L << 30);
        assertEquals(8 << 20, middle.bodyBytes());
        assertEquals(16 << 20, middle.pendingBodyBytes());
        ServerOptions.Limits large = ServerOptions.Limits.of(64L << 30);
        assertEquals(8 << 20, large.bodyBytes());
        assertEquals(256 << 20, large.pendingBodyBytes());
    }
}
