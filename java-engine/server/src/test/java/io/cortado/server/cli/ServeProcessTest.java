package io.cortado.server.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The serve command as a process of its own, with the real engine on the demo model. */
class ServeProcessTest {

    @Test
    void finishesAStreamAfterSigtermAndExitsWithZero(@TempDir Path cache) throws Exception {
        Process process = serve(cache);
        try (BufferedReader lines = process.inputReader()) {
            String url = url(lines);
            HttpResponse<Stream<String>> answer = stream(url, 100, 1);
            process.destroy();
            assertTrue(answer.body().anyMatch(line -> line.equals("data: [DONE]")));
            assertTrue(process.waitFor(30, TimeUnit.SECONDS));
            assertEquals(0, process.exitValue());
        } finally {
            process.destroyForcibly();
        }
    }

    /** While it drains it answers 503, and tells its health; the second signal ends it at once. */
    @Test
    void refusesWhileItDrainsAndStopsAtOnceAtASecondSigterm(@TempDir Path cache) throws Exception {
        Process process =
                serve(cache, "--shutdown-timeout", "600", "--slow-reader-timeout-s", "600");
        try (BufferedReader lines = process.inputReader()) {
            String url = url(lines);
            HttpResponse<Stream<String>> answer = stream(url, 1000, 16); // more than buffers hold
            Iterator<String> events = answer.body().iterator();
            assertTrue(events.next().startsWith("data: "));
            process.destroy();
            awaitStatus(url, "/health/ready", 503);
            assertEquals(200, get(url, "/health").statusCode());
            assertEquals(200, get(url, "/metrics").statusCode());
            HttpResponse<String> refused =
                    HttpClient.newHttpClient()
                            .send(longStream(url, 5, 1), HttpResponse.BodyHandlers.ofString());
            assertEquals(503, refused.statusCode());
            assertTrue(refused.headers().firstValue("retry-after").isPresent());
            assertTrue(process.isAlive());
            process.destroy();
            assertTrue(process.waitFor(30, TimeUnit.SECONDS));
            assertEquals(128 + 15, process.exitValue());
        } finally {
            process.destroyForcibly();
        }
    }

    /** Two ranks that share a model's experts: without one the other ends, and says so. */
    @Test
    void aGangEndsWithTheRankThatIsLost(@TempDir Path cache) throws Exception {
        String ucx = "/sbin/ldconfig -p | grep -q libucp.so.0";
        int found = new ProcessBuilder("sh", "-c", ucx).start().waitFor();
        assumeTrue(found == 0, "there is no libucp.so.0");
        Process[] ranks = new Process[2];
        for (int rank = 0; rank < 2; rank++) {
            Map<String, String> environment =
                    Map.of(
                            "RANK", Integer.toString(rank),
                            "WORLD_SIZE", "2",
                            "RENDEZVOUS", cache.resolve("meet").toString());
            ranks[rank] =
                    serve(
                            cache.resolve("rank" + rank),
                            environment,
                            "demo-moe",
                            "--expert-parallel-size=2",
                            "--gang-timeout-s=3",
                            "--served-model-name=cortado-demo");
        }
        try (BufferedReader lines = ranks[0].inputReader()) {
            HttpResponse<Stream<String>> answer = stream(url(lines), 400, 1);
            ranks[1].destroyForcibly();
            assertTrue(answer.body().anyMatch(line -> line.contains("\"error\"")));
            assertTrue(ranks[0].waitFor(60, TimeUnit.SECONDS));
            assertEquals(1, ranks[0].exitValue());
        } finally {
            ranks[0].destroyForcibly();
            ranks[1].destroyForcibly();
        }
    }

    private static Process serve(Path cache, String... flags) throws IOException {
        return serve(cache, Map.of(), flags);
    }

    private static Process serve(Path cache, Map<String, String> environment, String... flags)
            throws IOException {
        List<String> command =
                new ArrayList<>(
                        List.of(
                                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                                "--enable-native-access=ALL-UNNAMED",
                                "-Dcortado.root=" + System.getProperty("cortado.root"),
                                "-cp",
                                System.getProperty("java.class.path"),
                                "io.cortado.server.cli.Main",
                                "serve",
                                "--port",
                                "0"));
        command.addAll(List.of(flags));
        ProcessBuilder builder = new ProcessBuilder(command);
        builder.environment().put("XDG_CACHE_HOME", cache.toString());
        builder.environment().putAll(environment);
        builder.redirectError(ProcessBuilder.Redirect.INHERIT);
        return builder.start();
    }

    private static String url(BufferedReader lines) throws IOException {
        String url = String.valueOf(lines.readLine()).replaceFirst(".* on (http\\S+)$", "$1");
        assertTrue(url.startsWith("http://127.0.0.1:"), url);
        assertTrue(String.valueOf(lines.readLine()).startsWith("try: curl -N " + url));
        return url;
    }

    private static HttpResponse<Stream<String>> stream(String url, int tokens, int n)
            throws Exception {
        return HttpClient.newHttpClient()
                .sendAsync(longStream(url, tokens, n), HttpResponse.BodyHandlers.ofLines())
                .get(30, TimeUnit.SECONDS);
    }

    private static HttpResponse<String> get(String url, String path) throws Exception {
        return HttpClient.newHttpClient()
                .send(
                        HttpRequest.newBuilder(URI.create(url + path)).build(),
                        HttpResponse.BodyHandlers.ofString());
    }

    private static void awaitStatus(String url, String path, int status) throws Exception {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
        while (get(url, path).statusCode() != status) {
            assertTrue(System.nanoTime() < end, path + " never answers " + status);
            Thread.sleep(10);
        }
    }

    private static HttpRequest longStream(String url, int tokens, int n) {
        String body =
                "{\"model\":\"cortado-demo\",\"prompt\":\"Once\",\"max_tokens\":"
                        + tokens
                        + ",\"n\":"
                        + n
                        + ",\"ignore_eos\":true,\"stream\":true}";
        return HttpRequest.newBuilder(URI.create(url + "/v1/completions"))
                .header("content-type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(body))
                .build();
    }
}
