package io.cortado.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.Socket;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class HostileHttpTest {
    private static final String HEAD =
            "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";

    private TestServer server;

    @BeforeAll
    void start() throws Exception {
        server =
                new TestServer(
                        ServerOptions.defaults()
                                .servedModelNames(List.of("m"))
                                .limits(TestServer.fast()));
    }

    @AfterAll
    void stop() {
        server.close();
    }

    private static void assertStatus(int status, String answer) {
        assertTrue(answer.startsWith("HTTP/1.1 " + status + " "), answer);
        assertTrue(answer.contains("x-request-id: req-"), answer);
        assertTrue(answer.contains("{\"error\":{\"message\":"), answer);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                "Content-Length: 5\r\nContent-Length: 6\r\n\r\n{}   ",
                "Content-Length: -1\r\n\r\n",
                "Content-Length: x\r\n\r\n",
                "Bad Header: x\r\nContent-Length: 2\r\n\r\n{}",
                "X: a\nContent-Length: 2\r\n\r\n{}",
                "Host: second\r\nContent-Length: 2\r\n\r\n{}",
                "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\nZZ\r\n",
            })
    void answersMalformedRequestsWith400AndCloses(String rest) throws Exception {
        String request = HEAD + rest;
        assertStatus(400, server.raw(request.contains("second") ? closing(request) : request));
    }

    private static String closing(String request) {
        return request.replaceFirst("\r\n", "\r\nConnection: close\r\n");
    }

    @Test
    void refusesLongHeadersLinesAndManyHeaders() throws Exception {
        String get = "GET /health HTTP/1.1\r\nHost: localhost\r\n";
        assertStatus(431, server.raw(get + "X: " + "a".repeat(2 << 20) + "\r\n\r\n"));
        assertStatus(431, server.raw(get + "X: a\r\n".repeat(10_000) + "\r\n"));
        assertStatus(
                414,
                server.raw("GET /" + "a".repeat(9000) + " HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    }

    @Test
    void refusesBigBodiesBeforeReadingThem() throws Exception {
        assertStatus(413, server.raw(HEAD + "Content-Length: 99999999\r\n\r\n"));
        String chunk = "8000\r\n" + " ".repeat(0x8000) + "\r\n";
        assertStatus(
                413, server.raw(HEAD + "Transfer-Encoding: chunked\r\n\r\n" + chunk.repeat(8)));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "GET http://evil/health HTTP/1.1\r\nHost: localhost\r\n",
                "GET /health HTTP/1.1\r\nHost: evil/?\r\n",
                "GET /health HTTP/1.1\r\nHost: evil/#\r\n",
                "GET /health HTTP/1.1\r\n",
                "GET * HTTP/1.1\r\nHost: localhost\r\n",
            })
    void refusesTargetsAndHostsThatLie(String request) throws Exception {
        assertStatus(400, server.raw(request + "Connection: close\r\n\r\n"));
    }

    @Test
    void refusesForeignHostsAndOriginsWhenLocal() throws Exception {
        assertStatus(
                403,
                server.raw(
                        "GET /health HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"));
        TestServer.error(403, server.get("/v1/models", "Origin", "https://evil.example"));
        TestServer.error(403, server.get("/v1/models", "Origin", "null"));
        HttpResponse<String> local = server.get("/v1/models", "Origin", "http://localhost:3000");
        assertEquals(200, local.statusCode());
        assertTrue(local.headers().firstValue("access-control-allow-origin").isEmpty());
    }

    @Test
    void refusesOtherMediaTypesAndEncodings() throws Exception {
        String body = TestServer.chatBody("hi", "");
        String path =
                "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: "
                        + body.length();
        assertStatus(415, server.raw(path + "\r\n\r\n" + body));
        assertStatus(415, server.raw(path + "\r\nContent-Type: text/plain\r\n\r\n" + body));
        assertStatus(
                415,
                server.raw(
                        path
                                + "\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n\r\n"
                                + body));
        String answer =
                server.raw(
                        path
                                + "\r\nContent-Type: application/json; charset=\"UTF-8\"\r\n\r\n"
                                + body);
        assertTrue(answer.startsWith("HTTP/1.1 200 "), answer);
    }

    @Test
    void closesSlowHeadersSlowBodiesAndIdleConnections() throws Exception {
        try (Socket header = server.open("GET /health HTT");
                Socket body = server.open(HEAD + "Content-Length: 10\r\n\r\n{");
                Socket idle = server.open("");
                Socket kept = server.open("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")) {
            long start = System.nanoTime();
            assertEquals("", TestServer.readAll(header));
            assertStatus(408, TestServer.readAll(body));
            assertEquals("", TestServer.readAll(idle));
            assertTrue(TestServer.readAll(kept).startsWith("HTTP/1.1 200"));
            assertTrue(System.nanoTime() - start < 3_000_000_000L);
        }
    }

    @Test
    void limitsConnections() throws Exception {
        List<Socket> sockets = new ArrayList<>();
        try {
            for (int i = 0; i < 60; i++) {
                sockets.add(server.open("G"));
            }
            assertStatus(503, TestServer.readAll(sockets.getLast()));
        } finally {
            for (Socket socket : sockets) {
                socket.close();
            }
        }
        TestServer.await("places are free again", () -> isHealthy());
    }

    private boolean isHealthy() {
        try {
            return server.get("/health").statusCode() == 200;
        } catch (IOException e) {
            return false;
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "[]",
                "\"x\"",
                "null",
                "7",
                "{",
                "{}{}",
                "{} x",
                "{\"model\":\"m\",\"model\":\"m\"}",
                "{\"a\":NaN}",
                "{\"a\":Infinity}",
                "{\"a\":1e999999999}",
                "{\"a\":\"\\ud800\"}",
                "{\"\\udc00\":1}",
                "{'a':1}",
                "{\"a\":01}",
                "{\"a\":1,}",
                "{/**/}",
                "\uFEFF{}"
            })
    void refusesJsonGarbage(String body) throws Exception {
        TestServer.error(400, server.post("/v1/chat/completions", body));
        TestServer.error(400, server.post("/tokenize", body));
    }

    @Test
    void refusesDeepAndHugeJsonAndBrokenUtf8() throws Exception {
        for (String body :
                List.of(
                        "[".repeat(90_000),
                        "{\"a\":".repeat(10_000),
                        "{\"a\":" + "9".repeat(50_000) + "}")) {
            TestServer.error(400, server.post("/v1/chat/completions", body));
        }
        assertStatus(
                400,
                server.raw(
                        HEAD + "Connection: close\r\nContent-Length: 9\r\n\r\n{\"a\":\"\u00ff\"}"));
        assertEquals(200, server.chat("hi", "").statusCode());
    }

    @Test
    void keepsTheConnectionAfterAnErrorWhoseBodyWasRead() throws Exception {
        String bad = TestServer.rawPost("/v1/chat/completions", "{");
        String missing = TestServer.rawPost("/nowhere", "{}");
        String last = "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        String answers = server.raw(bad + missing + last);
        assertTrue(answers.contains("HTTP/1.1 400 "), answers);
        assertTrue(answers.contains("HTTP/1.1 404 "), answers);
        assertTrue(answers.endsWith("{\"status\":\"ok\"}"), answers);
    }

    @ParameterizedTest
    @ValueSource(strings = {"hang", "queue", "flood"})
    void cancelsWhenTheClientLeaves(String script) throws Exception {
        for (String stream : List.of("\"stream\":true", "\"stream\":false")) {
            int before = server.engine.cancelled.get();
            String body = TestServer.chatBody(script, stream);
            Socket socket = server.open(TestServer.rawPost("/v1/chat/completions", body));
            TestServer.await("it runs", () -> server.engine.active.get() > 0);
            socket.close();
            TestServer.await("it is cancelled", () -> server.engine.cancelled.get() > before);
            TestServer.await("nothing runs", () -> server.engine.active.get() == 0);
        }
    }

    @Test
    void cancelsAReaderThatDoesNotRead() throws Exception {
        int before = server.engine.cancelled.get();
        String body = TestServer.chatBody("flood", "\"stream\":true");
        try (Socket socket = server.open(TestServer.rawPost("/v1/chat/completions", body))) {
            TestServer.await("it is cancelled", () -> server.engine.cancelled.get() > before);
            assertFalse(socket.isClosed());
        }
        TestServer.await("nothing runs", () -> server.engine.active.get() == 0);
        TestServer.await(
                "it is logged",
                () -> server.log.stream().anyMatch(line -> line.contains("finish=abort")));
    }

    @Test
    void survivesTwoHundredClientsThatLeave() throws Exception {
        String body = TestServer.chatBody("hang", "");
        for (int i = 0; i < 200; i++) {
            server.open(TestServer.rawPost("/v1/chat/completions", body)).close();
        }
        TestServer.await("nothing runs", () -> server.engine.active.get() == 0);
        assertEquals(200, server.chat("hi", "").statusCode());
    }

    @Test
    void pingsASilentStream() throws Exception {
        String body = TestServer.chatBody("hang", "\"stream\":true");
        try (Socket socket = server.open(TestServer.rawPost("/v1/chat/completions", body))) {
            StringBuilder seen = new StringBuilder();
            while (seen.indexOf(": ping\n\n") < 0) {
                seen.append((char) socket.getInputStream().read());
            }
        }
    }
}
