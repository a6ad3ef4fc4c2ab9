package io.cortado.bench.chaos;

import io.cortado.bench.BenchException;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The server as a process of its own: how it is started, looked into, stopped and ended. */
final class ServerProcess implements AutoCloseable {
    private static final Pattern URL = Pattern.compile(" on http://127\\.0\\.0\\.1:([0-9]+)$");
    private static final Pattern TOTAL = Pattern.compile("(?m)^Total\\s+[0-9]+\\s+([0-9]+)\\s*$");
    private static final long COMMAND_S = 60;

    private final Process process;
    private final int port;
    private final Path log;

    private ServerProcess(Process process, int port, Path log) {
        this.process = process;
        this.port = port;
        this.log = log;
    }

    /**
     * Waits until it listens.
     *
     * @param heap of the JVM, as 64m
     * @param log where its standard error goes
     */
    static ServerProcess start(String heap, List<String> flags, Path log) throws IOException {
        List<String> command =
                new ArrayList<>(
                        List.of(
                                tool("java"),
                                "--enable-native-access=ALL-UNNAMED",
                                "-XX:+UseSerialGC",
                                "-Xmx" + heap,
                                "-Dcortado.root=" + System.getProperty("cortado.root"),
                                "-cp",
                                System.getProperty("java.class.path"),
                                "io.cortado.server.cli.Main",
                                "serve",
                                "--port",
                                "0",
                                "--disable-access-log"));
        command.addAll(flags);
        ProcessBuilder builder = new ProcessBuilder(command);
        builder.redirectError(log.toFile());
        Process process = builder.start();
        BufferedReader lines = process.inputReader();
        String line = lines.readLine();
        Matcher url = URL.matcher(line == null ? "" : line);
        if (!url.find()) {
            process.destroyForcibly();
            throw new BenchException("the server did not start: " + Files.readString(log).strip());
        }
        return new ServerProcess(process, Integer.parseInt(url.group(1)), log);
    }

    private static String tool(String name) {
        return Path.of(System.getProperty("java.home"), "bin", name).toString();
    }

    int port() {
        return port;
    }

    boolean isAlive() {
        return process.isAlive();
    }

    /** What it has written to its standard error. */
    String errors() throws IOException {
        return Files.readString(log);
    }

    /** Live bytes of the heap: counted after a full collection. */
    long liveHeapBytes() throws IOException, InterruptedException {
        Matcher total = TOTAL.matcher(command(tool("jcmd"), pid(), "GC.class_histogram"));
        if (!total.find()) {
            throw new BenchException("jcmd GC.class_histogram tells no total: pid=" + pid());
        }
        return Long.parseLong(total.group(1));
    }

    long residentBytes() throws IOException {
        return status("VmRSS") * 1024;
    }

    long threads() throws IOException {
        return status("Threads");
    }

    long openFiles() throws IOException {
        try (var files = Files.list(proc().resolve("fd"))) {
            return files.count();
        }
    }

    private long status(String field) throws IOException {
        for (String line : Files.readAllLines(proc().resolve("status"))) {
            if (line.startsWith(field + ":")) {
                return Long.parseLong(line.replaceAll("[^0-9]", ""));
            }
        }
        throw new BenchException("/proc tells no such field of the server: field=" + field);
    }

    private Path proc() {
        return Path.of("/proc", pid());
    }

    private String pid() {
        return Long.toString(process.pid());
    }

    /** Stops it in its tracks for a while, as a debugger or a full host does. */
    void freeze(long ms) throws IOException, InterruptedException {
        command("kill", "-STOP", pid());
        try {
            Thread.sleep(ms);
        } finally {
            command("kill", "-CONT", pid());
        }
    }

    private static String command(String... words) throws IOException, InterruptedException {
        Process ran = new ProcessBuilder(words).redirectErrorStream(true).start();
        String told = new String(ran.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (!ran.waitFor(COMMAND_S, TimeUnit.SECONDS) || ran.exitValue() != 0) {
            throw new BenchException(String.join(" ", words) + " failed: " + told.strip());
        }
        return told;
    }

    /** SIGTERM. */
    void terminate() {
        process.destroy();
    }

    /** Its exit code, or -1 if it has not ended within the time. */
    int awaitExit(long seconds) throws InterruptedException {
        return process.waitFor(seconds, TimeUnit.SECONDS) ? process.exitValue() : -1;
    }

    @Override
    public void close() {
        process.destroyForcibly();
    }
}
