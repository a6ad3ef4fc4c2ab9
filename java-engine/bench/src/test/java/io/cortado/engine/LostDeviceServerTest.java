package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.DeviceStatus;
import io.cortado.api.Engine;
import io.cortado.api.EngineOptions;
import io.cortado.device.Device;
import io.cortado.kv.KvCache;
import io.cortado.server.Server;
import io.cortado.server.ServerOptions;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * A server whose device is lost under load, as its clients see it. Here and not in the server's own
 * tests because only the class path shows a test the engine's inside.
 */
@Timeout(value = 120, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class LostDeviceServerTest {
    private static final int CLIENTS = 5;

    @TempDir Path folder;

    private final HttpClient http = HttpClient.newHttpClient();

    static List<String> devices() {
        return Engine.devices().stream()
                .filter(DeviceStatus::isAvailable)
                .map(DeviceStatus::name)
                .toList();
    }

    /** Steps take so long that nobody is done before the device is lost. */
    private record Slow(Executor device) implements Executor {
        @Override
        public void submit(Batch batch, KvCache cache) {
            device.submit(batch, cache);
        }

        @Override
        public void await(Batch batch) {
            try {
                Thread.sleep(5);
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
            device.await(batch);
        }

        @Override
        public void close() {
            device.close();
        }
    }

    private Engine open(String device, AtomicReference<Device> opened) throws Exception {
        Files.writeString(
                folder.resolve("config.json"),
                """
                {"model_type":"qwen3","hidden_size":64,"num_hidden_layers":2,"num_attention_heads":4,
                 "num_key_value_heads":2,"head_dim":64,"vocab_size":320,"intermediate_size":128,
                 "max_position_embeddings":1024}
                """);
        EngineOptions options =
                EngineOptions.defaults()
                        .device(device)
                        .threads(device.startsWith("cuda:") ? 0 : 2)
                        .dummyWeights(true)
                        .maxNumSeqs(2);
        return CortadoEngineProvider.open(folder, options, opened::set, Slow::new);
    }

    @ParameterizedTest
    @MethodSource("devices")
    void tellsEveryClientAndItsProbesAndThenCloses(String name) throws Exception {
        AtomicReference<Device> device = new AtomicReference<>();
        ServerOptions options =
                ServerOptions.defaults()
                        .listen("127.0.0.1", 0)
                        .servedModelNames(List.of("m"))
                        .accessLog(false);
        try (Engine engine = open(name, device);
                Server server = Server.start(engine, options)) {
            assertEquals(200, get(server, "/health").statusCode());
            List<CompletableFuture<HttpResponse<String>>> answers = new ArrayList<>();
            for (int i = 0; i < CLIENTS; i++) {
                answers.add(http.sendAsync(completion(server), text()));
            }
            while (engine.stats().generationTokens() == 0 || engine.stats().waiting() == 0) {
                Thread.sleep(1);
            }
            assertEquals(2, engine.stats().running());
            device.get().injectFault(1);
            for (CompletableFuture<HttpResponse<String>> answer : answers) {
                assertDead(answer.get());
            }
            assertDead(get(server, "/health"));
            assertDead(get(server, "/ready"));
            assertDead(http.send(completion(server), text()));
            assertEquals(200, get(server, "/metrics").statusCode());
            assertEquals(0, engine.stats().blocksUsed());
            assertTrue(server.drain(1000));
        }
        assertTrue(device.get().isClosed(), "handles are left");
    }

    private static void assertDead(HttpResponse<String> response) {
        assertEquals(503, response.statusCode(), response::body);
        assertTrue(response.body().contains("engine_dead"), response::body);
        assertFalse(response.body().contains("injected"), response::body);
    }

    private static HttpResponse.BodyHandler<String> text() {
        return HttpResponse.BodyHandlers.ofString();
    }

    private static URI uri(Server server, String path) {
        return URI.create("http://127.0.0.1:" + server.port() + path);
    }

    private HttpResponse<String> get(Server server, String path) throws Exception {
        return http.send(HttpRequest.newBuilder(uri(server, path)).build(), text());
    }

    private static HttpRequest completion(Server server) {
        String body = "{\"model\":\"m\",\"prompt\":[1,2,3],\"max_tokens\":900,\"ignore_eos\":true}";
        return HttpRequest.newBuilder(uri(server, "/v1/completions"))
                .header("content-type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(body))
                .build();
    }
}
