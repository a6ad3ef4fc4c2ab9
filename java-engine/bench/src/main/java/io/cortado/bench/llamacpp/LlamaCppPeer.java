package io.cortado.bench.llamacpp;

import io.cortado.bench.BenchException;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStreamWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * llama.cpp in a process of its own: node-llama-cpp's prebuilt library, which holds a build for
 * each instruction set. Fetched by npm into a cache folder on first use, so that no build of ours
 * depends on it.
 */
final class LlamaCppPeer implements AutoCloseable {
    private static final long INSTALL_MINUTES = 5;
    private static final long EXIT_SECONDS = 10;

    private final Process process;
    private final BufferedReader replies;
    private final BufferedWriter requests;
    private final JsonNode hello;

    private LlamaCppPeer(Process process) throws IOException {
        this.process = process;
        replies = process.inputReader(StandardCharsets.UTF_8);
        requests =
                new BufferedWriter(
                        new OutputStreamWriter(process.getOutputStream(), StandardCharsets.UTF_8));
        hello = reply();
    }

    /** Installs where needed, starts, and waits until the model is loaded. */
    static LlamaCppPeer start(Path cache, Path gguf, int threads, int contextSize)
            throws IOException, InterruptedException {
        Path folder = install(cache);
        Process process =
                process(
                                folder,
                                "node",
                                "peer.mjs",
                                gguf.toAbsolutePath().toString(),
                                Integer.toString(threads),
                                Integer.toString(contextSize))
                        .redirectError(folder.resolve("peer.log").toFile())
                        .start();
        try {
            return new LlamaCppPeer(process);
        } catch (IOException | RuntimeException e) {
            process.destroyForcibly();
            throw new BenchException(
                    "llama.cpp did not start: log=" + folder.resolve("peer.log"), e);
        }
    }

    private static Path install(Path cache) throws IOException, InterruptedException {
        Files.createDirectories(cache);
        for (String name : new String[] {"package.json", "package-lock.json", "peer.mjs"}) {
            copy(name, cache.resolve(name));
        }
        if (Files.isDirectory(cache.resolve("node_modules/@node-llama-cpp/linux-x64"))) {
            return cache;
        }
        Path log = cache.resolve("install.log");
        Process npm;
        try {
            npm =
                    process(cache, "npm", "install", "--omit=optional", "--ignore-scripts")
                            .redirectErrorStream(true)
                            .redirectOutput(log.toFile())
                            .start();
        } catch (IOException e) {
            throw new BenchException(
                    "llama.cpp comes through npm, which was not found: install Node 20 or newer",
                    e);
        }
        if (!npm.waitFor(INSTALL_MINUTES, TimeUnit.MINUTES) || npm.exitValue() != 0) {
            npm.destroyForcibly();
            throw new BenchException("npm could not install llama.cpp: log=" + log);
        }
        return cache;
    }

    private static ProcessBuilder process(Path folder, String... command) {
        return new ProcessBuilder(command).directory(folder.toFile());
    }

    private static void copy(String name, Path target) throws IOException {
        try (InputStream in = LlamaCppPeer.class.getResourceAsStream(name)) {
            if (in == null) {
                throw new IOException("a resource is missing from the jar: name=" + name);
            }
            Files.copy(in, target, StandardCopyOption.REPLACE_EXISTING);
        }
    }

    /** What it says about itself, for the report. */
    String version() {
        return "llama.cpp " + hello.path("release").asString("?");
    }

    int threads() {
        return hello.path("threads").asInt(0);
    }

    /** Runs one prompt greedily. */
    Generated generate(int[] prompt, int count) throws IOException {
        requests.write(
                JsonMapper.shared().writeValueAsString(Map.of("prompt", prompt, "count", count)));
        requests.newLine();
        requests.flush();
        JsonNode reply = reply();
        int[] ids = new int[reply.path("ids").size()];
        for (int i = 0; i < ids.length; i++) {
            ids[i] = reply.path("ids").get(i).asInt();
        }
        return new Generated(
                ids, reply.path("firstMs").asDouble() / 1e3, reply.path("restMs").asDouble() / 1e3);
    }

    private JsonNode reply() throws IOException {
        // Lines that are not ours are llama.cpp's own log.
        for (String line = replies.readLine(); line != null; line = replies.readLine()) {
            if (line.startsWith("{")) {
                return JsonMapper.shared().readTree(line);
            }
        }
        throw new IOException("llama.cpp's process ended without an answer");
    }

    @Override
    public void close() {
        try {
            requests.close();
            if (!process.waitFor(EXIT_SECONDS, TimeUnit.SECONDS)) {
                process.destroyForcibly();
            }
        } catch (IOException e) {
            process.destroyForcibly();
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
    }
}
