package io.cortado.server.router;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.Engine;
import io.cortado.api.EngineOptions;
import io.cortado.demo.DemoModel;
import io.cortado.server.Server;
import io.cortado.server.ServerOptions;
import io.cortado.server.TrafficOptions;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** {@code GET /v1/kv-events} of a server of the demo model. */
@Timeout(120)
class KvEventsTest {
    private static final JsonMapper MAPPER = JsonMapper.builder().build();

    private final HttpClient client = HttpClient.newHttpClient();
    private @Nullable Engine engine;
    private @Nullable Server server;

    @BeforeEach
    void start(@TempDir Path folder) throws Exception {
        Engine opened =
                Engine.open(
                        DemoModel.unpack(folder),
                        EngineOptions.defaults().threads(1).maxModelLen(512));
        engine = opened;
        server =
                Server.start(
                        opened,
                        ServerOptions.defaults()
                                .listen("127.0.0.1", 0)
                                .apiKey("key")
                                .servedModelNames(List.of("demo"))
                                .traffic(TrafficOptions.defaults().kvEvents(true).debug(true))
                                .accessLog(false));
    }

    @AfterEach
    void stop() {
        running().close();
        if (engine != null) {
            engine.close();
        }
        client.shutdownNow(); // some events are never read
    }

    private Server running() {
        if (server == null) {
            throw new IllegalStateException("the server has not started");
        }
        return server;
    }

    private HttpRequest.Builder request(String path) {
        return HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + running().port() + path))
                .header("authorization", "Bearer key");
    }

    private HttpResponse<String> post(String path, String body) throws Exception {
        HttpResponse<String> response =
                client.send(
                        request(path)
                                .header("content-type", "application/json")
                                .POST(HttpRequest.BodyPublishers.ofString(body))
                                .build(),
                        HttpResponse.BodyHandlers.ofString());
        assertEquals(200, response.statusCode(), response.body());
        return response;
    }

    private void complete(int firstId, String more) throws Exception {
        StringBuilder ids = new StringBuilder();
        for (int i = 0; i < 33; i++) {
            ids.append(i == 0 ? "" : ",").append(firstId + i);
        }
        post(
                "/v1/completions",
                "{\"model\":\"demo\",\"prompt\":[%s],\"max_tokens\":1%s}".formatted(ids, more));
    }

    private Iterator<String> events(String... headers) throws Exception {
        HttpRequest.Builder request = request("/v1/kv-events");
        if (headers.length > 0) {
            request.headers(headers);
        }
        HttpResponse<Stream<String>> response =
                client.send(request.build(), HttpResponse.BodyHandlers.ofLines());
        assertEquals(200, response.statusCode());
        return response.body().filter(line -> !line.isEmpty()).iterator();
    }

    private static JsonNode data(Iterator<String> lines) {
        String line = lines.next();
        assertTrue(line.startsWith("data: "), line);
        return MAPPER.readTree(line.substring(6));
    }

    /** The event with its id. */
    private static JsonNode next(Iterator<String> lines, String instance, long number) {
        assertEquals("id: " + instance + "-" + number, lines.next());
        JsonNode event = data(lines);
        assertEquals(number, event.get("seq").longValue());
        return event;
    }

    @Test
    void tellsBlocksWithTheirTokensAndWhatIsBeforeThem() throws Exception {
        Iterator<String> lines = events();
        JsonNode opened = data(lines);
        assertEquals("Opened", opened.get("type").stringValue());
        assertEquals("demo", opened.get("model").stringValue());
        assertEquals(16, opened.get("block_size").intValue());
        String instance = opened.get("instance").stringValue();
        complete(100, "");
        JsonNode first = next(lines, instance, 0);
        JsonNode second = next(lines, instance, 1);
        assertEquals("BlockStored", first.get("type").stringValue());
        assertTrue(first.get("parent_block_hash").isNull());
        assertEquals(first.get("block_hashes").get(0), second.get("parent_block_hash"));
        assertEquals(16, second.get("token_ids").size());
        assertEquals(116, second.get("token_ids").get(0).intValue());
        assertEquals("GPU", second.get("medium").stringValue());
        complete(100, ",\"cache_salt\":\"s\"");
        JsonNode salted = next(lines, instance, 2);
        assertFalse(salted.get("parent_block_hash").isNull()); // nobody else's prompt begins there
        next(lines, instance, 3);
        post("/reset_prefix_cache", "{}");
        assertEquals("AllBlocksCleared", next(lines, instance, 4).get("type").stringValue());
    }

    @Test
    void goesOnBehindTheLastEventOfThisInstanceOnly() throws Exception {
        complete(100, "");
        complete(300, "");
        Iterator<String> all = events();
        String instance = data(all).get("instance").stringValue();
        next(all, instance, 0);
        Iterator<String> later = events("last-event-id", instance + "-2");
        data(later);
        next(later, instance, 3);
        Iterator<String> other = events("last-event-id", "0123456789abcdef-2");
        data(other);
        next(other, instance, 0);
    }

    @Test
    void refusesAnIdThatIsNoneAndWhoHasNoKey() throws Exception {
        HttpResponse<String> refused =
                client.send(
                        request("/v1/kv-events").header("last-event-id", "x").build(),
                        HttpResponse.BodyHandlers.ofString());
        assertEquals(400, refused.statusCode());
        HttpRequest open =
                HttpRequest.newBuilder(
                                URI.create(
                                        "http://127.0.0.1:" + running().port() + "/v1/kv-events"))
                        .build();
        assertEquals(401, client.send(open, HttpResponse.BodyHandlers.ofString()).statusCode());
    }

    @Test
    void doesNotKeepADrainWaitingAndEndsWithIt() throws Exception {
        Iterator<String> lines = events();
        data(lines);
        assertTrue(running().drain(60_000));
        assertFalse(lines.hasNext());
    }

    @Test
    void aViewForgetsWhatItCannotKnowAnyMore() {
        PrefixView view = new PrefixView();
        view.line(
                "data: {\"type\":\"Opened\",\"instance\":\"a\",\"model\":\"m\",\"block_size\":2}");
        view.line("id: a-0");
        view.line(stored(0, "x", "null", "7,8"));
        view.line(stored(1, "y", "\"x\"", "9,10"));
        assertEquals(4, view.held(new int[] {7, 8, 9, 10, 11}));
        assertEquals("a-0", view.lastEventId());
        view.line(
                "data: {\"type\":\"BlockRemoved\",\"seq\":2,\"block_hashes\":[\"x\"],\"medium\":\"GPU\"}");
        assertEquals(0, view.held(new int[] {7, 8, 9, 10, 11}));
        view.line(stored(3, "x", "null", "7,8"));
        assertEquals(4, view.held(new int[] {7, 8, 9, 10, 11}));
        view.line("data: {\"type\":\"EventsMissed\",\"seq\":4,\"count\":10}");
        assertEquals(0, view.held(new int[] {7, 8, 9, 10, 11}));
        assertEquals(10, view.missed());
        assertEquals(14, view.next());
        view.line(stored(14, "x", "null", "7,8"));
        view.line(
                "data: {\"type\":\"Opened\",\"instance\":\"b\",\"model\":\"m\",\"block_size\":2}");
        assertEquals(0, view.held(new int[] {7, 8}));
    }

    private static String stored(int number, String hash, String parent, String tokens) {
        return ("data: {\"type\":\"BlockStored\",\"seq\":%d,\"block_hashes\":[\"%s\"],\"parent_block_hash\":%s,"
                        + "\"token_ids\":[%s],\"block_size\":2,\"medium\":\"GPU\"}")
                .formatted(number, hash, parent, tokens);
    }
}
