package io.cortado.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.fail;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.BooleanSupplier;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** A server over a scripted engine, and two ways to talk to it. */
final class TestServer implements AutoCloseable {
    static final JsonMapper MAPPER = JsonMapper.builder().build();

    final FakeEngine engine;
    final List<String> log = new CopyOnWriteArrayList<>();
    final Server server;
    private final HttpClient client = HttpClient.newHttpClient();

    TestServer(ServerOptions options) throws IOException {
        this(new FakeEngine(), options);
    }

    TestServer(FakeEngine engine, ServerOptions options) throws IOException {
        this.engine = engine;
        server = Server.start(engine, options.listen("127.0.0.1", 0), new Log(log::add));
    }

    static TestServer start() throws IOException {
        return new TestServer(ServerOptions.defaults().servedModelNames(List.of("m", "org/m")));
    }

    static ServerOptions.Limits fast() {
        return new ServerOptions.Limits(100_000, 1 << 20, 50, 16, 8, 300, 400, 300, 60, 0);
    }

    String url(String path) {
        return "http://127.0.0.1:" + server.port() + path;
    }

    HttpResponse<String> get(String path, String... headers) throws Exception {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(url(path)));
        if (headers.length > 0) {
            request.headers(headers);
        }
        return client.send(request.build(), HttpResponse.BodyHandlers.ofString());
    }

    HttpResponse<String> post(String path, String body, String... headers) throws Exception {
        HttpRequest.Builder request =
                HttpRequest.newBuilder(URI.create(url(path)))
                        .header("content-type", "application/json")
                        .POST(HttpRequest.BodyPublishers.ofString(body));
        if (headers.length > 0) {
            request.headers(headers);
        }
        return client.send(request.build(), HttpResponse.BodyHandlers.ofString());
    }

    /** Posts a chat of one user turn with more fields. */
    HttpResponse<String> chat(String content, String more) throws Exception {
        return post("/v1/chat/completions", chatBody(content, more));
    }

    static String chatBody(String content, String more) {
        return "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\""
                + content
                + "\"}]"
                + (more.isEmpty() ? "" : "," + more)
                + "}";
    }

    HttpResponse<String> complete(String fields) throws Exception {
        return post("/v1/completions", "{\"model\":\"m\"," + fields + "}");
    }

    static JsonNode json(HttpResponse<String> response) {
        return MAPPER.readTree(response.body());
    }

    /** Checks status and form of an error; gives the error. */
    static JsonNode error(int status, HttpResponse<String> response) {
        assertEquals(status, response.statusCode(), response.body());
        JsonNode error = json(response).get("error");
        assertEquals(
                List.of("message", "type", "param", "code"),
                new ArrayList<>(error.propertyNames()));
        return error;
    }

    /** The chunks of a stream, which must end by [DONE] unless it ends by an error. */
    static List<JsonNode> chunks(HttpResponse<String> response) {
        assertEquals(200, response.statusCode(), response.body());
        List<JsonNode> chunks = new ArrayList<>();
        String[] events = response.body().split("\n\n");
        for (String event : events) {
            if (event.startsWith("data: {")) {
                chunks.add(MAPPER.readTree(event.substring(6)));
            }
        }
        boolean isDone = events[events.length - 1].equals("data: [DONE]");
        if (!isDone && !chunks.getLast().has("error")) {
            fail("the stream is cut: " + response.body());
        }
        return chunks;
    }

    /** Sends bytes as they are and reads until the server closes, at most 5 s. */
    String raw(String request) throws IOException {
        try (Socket socket = open(request)) {
            return readAll(socket);
        }
    }

    Socket open(String request) throws IOException {
        Socket socket = new Socket("127.0.0.1", server.port());
        socket.setSoTimeout(5000);
        OutputStream out = socket.getOutputStream();
        out.write(request.getBytes(StandardCharsets.ISO_8859_1));
        out.flush();
        return socket;
    }

    static String readAll(Socket socket) throws IOException {
        InputStream in = socket.getInputStream();
        return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    }

    /** A POST's text with a right length. */
    static String rawPost(String path, String body) {
        return "POST "
                + path
                + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                + "Content-Length: "
                + body.getBytes(StandardCharsets.UTF_8).length
                + "\r\n\r\n"
                + body;
    }

    static void await(String what, BooleanSupplier condition) throws InterruptedException {
        long end = System.nanoTime() + 5_000_000_000L;
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() > end) {
                fail("not within 5 s: " + what);
            }
            Thread.sleep(5);
        }
    }

    @Override
    public void close() {
        server.close();
        engine.close();
    }
}
