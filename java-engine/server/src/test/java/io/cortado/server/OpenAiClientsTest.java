package io.cortado.server;

import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class OpenAiClientsTest {

    @Test
    void theJavaClientFindsTheApiItExpects() throws Exception {
        try (TestServer server = TestServer.start()) {
            OpenAiClients.java(server.url("/v1"), "org/m");
            TestServer.await("nothing runs", () -> server.engine.active.get() == 0);
            assertTrue(server.log.size() >= 9);
        }
    }

    @Test
    void theNpmClientFindsTheApiItExpects() throws Exception {
        try (TestServer server = TestServer.start()) {
            OpenAiClients.node(server.url("/v1"), "org/m");
            TestServer.await("nothing runs", () -> server.engine.active.get() == 0);
        }
    }
}
