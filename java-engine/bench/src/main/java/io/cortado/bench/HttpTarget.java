package io.cortado.bench;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Stream;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** A server with the OpenAI API, asked for streamed completions of token ids. */
final class HttpTarget implements Target {
    private static final String DATA = "data: ";
    private static final Duration TIMEOUT = Duration.ofMinutes(10);

    private final HttpClient client =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    private final URI completions;
    private final String model;
    private final int vocabSize;

    /** Asks the server for its model's name: fails early where nobody listens. */
    HttpTarget(String url, int vocabSize) throws InterruptedException {
        String base = url.endsWith("/") ? url.substring(0, url.length() - 1) : url;
        this.vocabSize = vocabSize;
        try {
            completions = URI.create(base + "/v1/completions");
            HttpRequest ask = HttpRequest.newBuilder(URI.create(base + "/v1/models")).build();
            String body = client.send(ask, HttpResponse.BodyHandlers.ofString()).body();
            model = JsonMapper.shared().readTree(body).path("data").path(0).path("id").asString();
        } catch (IOException | RuntimeException e) {
            throw new BenchException("no OpenAI-compatible server answers: url=" + url, e);
        }
    }

    @Override
    public Outcome run(int[] prompt, int outputLen) throws InterruptedException {
        HttpRequest request =
                HttpRequest.newBuilder(completions)
                        .timeout(TIMEOUT)
                        .header("Content-Type", "application/json")
                        .POST(HttpRequest.BodyPublishers.ofString(body(prompt, outputLen)))
                        .build();
        long sent = System.nanoTime();
        try {
            HttpResponse<Stream<String>> response =
                    client.send(request, HttpResponse.BodyHandlers.ofLines());
            try (Stream<String> lines = response.body()) {
                if (response.statusCode() != 200) {
                    return Outcome.failed("HTTP status " + response.statusCode());
                }
                return read(lines.iterator(), sent);
            }
        } catch (IOException | RuntimeException e) {
            return Outcome.failed(String.valueOf(e.getMessage()));
        }
    }

    private static Outcome read(Iterator<String> lines, long sent) {
        long first = 0;
        int tokens = 0;
        boolean done = false;
        while (lines.hasNext() && !done) {
            String line = lines.next();
            if (!line.startsWith(DATA)) {
                continue;
            }
            done = line.equals("data: [DONE]");
            if (!done) {
                JsonNode chunk = JsonMapper.shared().readTree(line.substring(DATA.length()));
                if (chunk.has("error")) {
                    return Outcome.failed(chunk.path("error").path("message").asString("?"));
                }
                first = first == 0 && !chunk.path("choices").isEmpty() ? System.nanoTime() : first;
                tokens = chunk.path("usage").path("completion_tokens").asInt(tokens);
            }
        }
        return done && first != 0
                ? new Outcome(first - sent, System.nanoTime() - sent, tokens, null)
                : Outcome.failed("the stream ended early");
    }

    private String body(int[] prompt, int outputLen) {
        Map<String, Object> body = new LinkedHashMap<>();
        body.put("model", model);
        body.put("prompt", prompt);
        body.put("max_tokens", outputLen);
        body.put("temperature", 0);
        body.put("ignore_eos", true);
        body.put("stream", true);
        body.put("stream_options", Map.of("include_usage", true));
        return JsonMapper.shared().writeValueAsString(body);
    }

    @Override
    public int vocabSize() {
        return vocabSize;
    }

    @Override
    public void close() {
        client.close();
    }
}
