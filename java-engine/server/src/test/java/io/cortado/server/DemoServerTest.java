package io.cortado.server;

import io.cortado.api.Engine;
import io.cortado.api.EngineOptions;
import io.cortado.demo.DemoModel;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import org.jspecify.annotations.Nullable;

/** The official clients against the real engine on the demo model. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class DemoServerTest {
    private @Nullable Engine engine;
    private @Nullable Server server;

    @BeforeAll
    void start(@TempDir Path folder) throws Exception {
        engine = Engine.open(DemoModel.unpack(folder), EngineOptions.defaults());
        server =
                Server.start(
                        engine,
                        ServerOptions.defaults()
                                .listen("127.0.0.1", 0)
                                .servedModelNames(List.of(DemoModel.NAME))
                                .accessLog(false));
    }

    @AfterAll
    void stop() {
        if (server != null) {
            server.close();
        }
        if (engine != null) {
            engine.close();
        }
    }

    private String url() {
        return "http://127.0.0.1:" + (server == null ? 0 : server.port()) + "/v1";
    }

    @Test
    void servesTheJavaClient() throws Exception {
        OpenAiClients.java(url(), DemoModel.NAME);
        assertIdle();
    }

    @Test
    void servesTheNpmClient() throws Exception {
        OpenAiClients.node(url(), DemoModel.NAME);
        assertIdle();
    }

    private void assertIdle() throws InterruptedException {
        Engine real = Objects.requireNonNull(engine);
        TestServer.await(
                "no block is in use",
                () -> real.stats().running() == 0 && real.stats().blocksUsed() == 0);
    }
}
