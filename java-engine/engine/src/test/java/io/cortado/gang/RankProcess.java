package io.cortado.gang;

import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.io.UncheckedIOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** A {@link RankMain} in a process of its own. */
final class RankProcess implements AutoCloseable {
    /** How long nothing may happen: hanging, on the slowest of machines. */
    private static final long HANG_SECONDS = 60;

    private static final String END = "END";

    private final Process process;
    private final BufferedWriter commands;
    private final BlockingQueue<String> lines = new LinkedBlockingQueue<>();
    private final List<String> seen = new ArrayList<>();

    RankProcess(String transports) throws IOException {
        List<String> command =
                List.of(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Xmx64m",
                        "-XX:+UseSerialGC",
                        "-XX:TieredStopAtLevel=1",
                        "--enable-native-access=ALL-UNNAMED",
                        "-Dcortado.root=" + System.getProperty("cortado.root", ""),
                        "-cp",
                        System.getProperty("java.class.path"),
                        RankMain.class.getName());
        ProcessBuilder builder = new ProcessBuilder(command).redirectError(Redirect.INHERIT);
        builder.environment().put("UCX_TLS", transports);
        process = builder.start();
        commands =
                new BufferedWriter(
                        new OutputStreamWriter(process.getOutputStream(), StandardCharsets.UTF_8));
        Thread.ofVirtual().start(this::read);
    }

    private void read() {
        try (BufferedReader reader =
                new BufferedReader(
                        new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
            for (String line = reader.readLine(); line != null; line = reader.readLine()) {
                lines.add(line);
            }
        } catch (IOException e) {
            lines.add("UNREADABLE " + e);
        }
        lines.add(END);
    }

    /** Waits for a line that begins so, or for the end of the run before it. */
    String await(String begin) throws InterruptedException {
        while (true) {
            String line = lines.poll(HANG_SECONDS, TimeUnit.SECONDS);
            if (line == null) {
                throw new AssertionError("hangs, after " + seen);
            }
            if (seen.size() > 10) {
                seen.removeFirst();
            }
            seen.add(line);
            if (line.equals(END)) {
                lines.add(END);
                return END;
            }
            if (line.startsWith(begin) || isResult(line)) {
                return line;
            }
        }
    }

    private static boolean isResult(String line) {
        return line.startsWith("DONE") || line.startsWith("FAILED") || line.startsWith("BROKEN");
    }

    String result() throws InterruptedException {
        return await("DONE");
    }

    void run(RankMain.Command command) {
        try {
            commands.write(command.line() + "\n");
            commands.flush();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** SIGKILL. */
    void kill() throws InterruptedException {
        process.destroyForcibly().waitFor();
    }

    void signal(String name) throws IOException, InterruptedException {
        int code =
                new ProcessBuilder("kill", "-" + name, String.valueOf(process.pid()))
                        .start()
                        .waitFor();
        if (code != 0) {
            throw new AssertionError("kill -" + name + " exits with " + code);
        }
    }

    boolean isAlive() {
        return process.isAlive();
    }

    /** Lets it end by itself. */
    int end() throws IOException, InterruptedException {
        commands.close();
        if (!process.waitFor(HANG_SECONDS, TimeUnit.SECONDS)) {
            throw new AssertionError("does not end, after " + seen);
        }
        return process.exitValue();
    }

    @Override
    public void close() {
        process.destroyForcibly();
    }
}
