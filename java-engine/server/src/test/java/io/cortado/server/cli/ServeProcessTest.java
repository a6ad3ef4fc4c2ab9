package io.cortado.server.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The serve command as a process of its own, with the real engine on the demo model. */
class ServeProcessTest {

    @Test
    void finishesAStreamAfterSigtermAndExitsWithZero(@TempDir Path cache) throws Exception {
        ProcessBuilder builder =
                new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "--enable-native-access=ALL-UNNAMED",
                        "-Dcortado.root=" + System.getProperty("cortado.root"),
                        "-cp",
                        System.getProperty("java.class.path"),
                        "io.cortado.server.cli.Main",
                        "serve",
                        "--port",
                        "0");
        builder.environment().put("XDG_CACHE_HOME", cache.toString());
        builder.redirectError(ProcessBuilder.Redirect.INHERIT);
        Process process = builder.start();
        try (BufferedReader lines = process.inputReader()) {
            String url = String.valueOf(lines.readLine()).replaceFirst(".* on (http\\S+)$", "$1");
            assertTrue(url.startsWith("http://127.0.0.1:"), url);
            assertTrue(String.valueOf(lines.readLine()).startsWith("try: curl -N " + url));
            CompletableFuture<HttpResponse<java.util.stream.Stream<String>>> stream =
                    HttpClient.newHttpClient()
                            .sendAsync(longStream(url), HttpResponse.BodyHandlers.ofLines());
            HttpResponse<java.util.stream.Stream<String>> answer = stream.get(30, TimeUnit.SECONDS);
            process.destroy();
            assertTrue(answer.body().anyMatch(line -> line.equals("data: [DONE]")));
            assertTrue(process.waitFor(30, TimeUnit.SECONDS));
            assertEquals(0, process.exitValue());
        } finally {
            process.destroyForcibly();
        }
    }

    private static HttpRequest longStream(String url) {
        String body =
                "{\"model\":\"cortado-demo\",\"prompt\":\"Once\",\"max_tokens\":100,"
                        + "\"ignore_eos\":true,\"stream\":true}";
        return HttpRequest.newBuilder(URI.create(url + "/v1/completions"))
                .header("content-type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(body))
                .build();
    }
}
