package io.cortado.server.router;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.Iterator;
import java.util.function.LongSupplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** What the router knows of one server. */
final class Replica {
    private static final Pattern SAMPLE =
            Pattern.compile(
                    "^vllm:(num_requests_running|num_requests_waiting|kv_cache_usage_perc)"
                            + "\\{[^}]*\\} (\\S+)$",
                    Pattern.MULTILINE);

    private final String name;
    private final String url;
    private final HttpClient client;
    private final LongSupplier clock;
    private final PrefixView prefixes = new PrefixView();
    private volatile Load load = new Load(false, 0, 0, 0, Long.MIN_VALUE);

    /**
     * How busy it was.
     *
     * @param isReady it takes requests
     * @param atNanos when it said so
     */
    record Load(boolean isReady, int running, int waiting, double kvUsage, long atNanos) {}

    Replica(String name, int port, HttpClient client, LongSupplier clock) {
        this.name = name;
        this.url = "http://127.0.0.1:" + port;
        this.client = client;
        this.clock = clock;
    }

    String name() {
        return name;
    }

    Load load() {
        return load;
    }

    PrefixView prefixes() {
        return prefixes;
    }

    /** Asks for readiness and metrics, once; who does not answer is not ready. */
    void poll() throws InterruptedException {
        long now = clock.getAsLong();
        try {
            boolean isReady = get("/health/ready").statusCode() == 200;
            HttpResponse<String> metrics = get("/metrics");
            load = parsed(isReady && metrics.statusCode() == 200, metrics.body(), now);
        } catch (IOException e) {
            load = new Load(false, 0, 0, 0, now);
        }
    }

    private static Load parsed(boolean isReady, String text, long now) {
        int running = 0;
        int waiting = 0;
        double usage = 0;
        Matcher matcher = SAMPLE.matcher(text);
        while (matcher.find()) {
            double value = Double.parseDouble(matcher.group(2));
            switch (matcher.group(1)) {
                case "num_requests_running" -> running = (int) value;
                case "num_requests_waiting" -> waiting = (int) value;
                default -> usage = value;
            }
        }
        return new Load(isReady, running, waiting, usage, now);
    }

    private HttpResponse<String> get(String path) throws IOException, InterruptedException {
        return client.send(request(path).build(), HttpResponse.BodyHandlers.ofString());
    }

    private HttpRequest.Builder request(String path) {
        return HttpRequest.newBuilder(URI.create(url + path)).timeout(Duration.ofSeconds(30));
    }

    /** It said itself, or by not answering, that it takes no requests. */
    void isOut() {
        load = new Load(false, 0, 0, 0, clock.getAsLong());
    }

    HttpResponse<String> post(String path, String body, String id)
            throws IOException, InterruptedException {
        return client.send(
                request(path)
                        .header("content-type", "application/json")
                        .header("x-request-id", id)
                        .POST(HttpRequest.BodyPublishers.ofString(body))
                        .build(),
                HttpResponse.BodyHandlers.ofString());
    }

    /** Reads events until the replica ends them or is lost. */
    void follow() throws InterruptedException {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(url + "/v1/kv-events"));
        if (!prefixes.lastEventId().isEmpty()) {
            request.header("last-event-id", prefixes.lastEventId());
        }
        try {
            HttpResponse<Stream<String>> events =
                    client.send(request.build(), HttpResponse.BodyHandlers.ofLines());
            Iterator<String> lines = events.body().iterator();
            while (lines.hasNext()) {
                prefixes.line(lines.next());
            }
        } catch (IOException | java.io.UncheckedIOException e) {
            isOut();
        }
    }
}
