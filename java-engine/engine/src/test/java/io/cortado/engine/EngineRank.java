package io.cortado.engine;

import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.lang.ProcessBuilder.Redirect;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** An {@link EngineRankMain} in a process of its own. */
final class EngineRank implements AutoCloseable {
    /** How long nothing may happen: hanging, on the slowest of machines. */
    private static final long HANG_SECONDS = 120;

    private final Process process;
    private final BufferedWriter commands;
    private final BlockingQueue<String> lines = new LinkedBlockingQueue<>();

    EngineRank(String... args) throws IOException {
        List<String> command =
                new ArrayList<>(
                        List.of(
                                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                                "-Xmx256m",
                                "-XX:+UseSerialGC",
                                "-XX:TieredStopAtLevel=1",
                                "--enable-native-access=ALL-UNNAMED",
                                "-Dcortado.root=" + System.getProperty("cortado.root", ""),
                                "-cp",
                                System.getProperty("java.class.path"),
                                EngineRankMain.class.getName()));
        command.addAll(List.of(args));
        process = new ProcessBuilder(command).redirectError(Redirect.DISCARD).start();
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
        lines.add("GONE");
    }

    String next() throws InterruptedException {
        String line = lines.poll(HANG_SECONDS, TimeUnit.SECONDS);
        if (line == null) {
            throw new AssertionError("a rank hangs");
        }
        return line;
    }

    void expect(String wanted) throws InterruptedException {
        String line = next();
        if (!line.equals(wanted)) {
            throw new AssertionError("expected " + wanted + ", got " + line);
        }
    }

    /** The next line that begins so; it is the next but for where the rank is. */
    String await(String begin) throws InterruptedException {
        String line = next();
        while (line.equals("READY") || line.equals("LOOPING")) {
            line = next();
        }
        if (!line.startsWith(begin)) {
            throw new AssertionError("expected " + begin + ", got " + line);
        }
        return line;
    }

    void tell(String command) throws IOException {
        commands.write(command + "\n");
        commands.flush();
    }

    List<String> answers(int first) throws Exception {
        tell("ask " + first);
        List<String> answers = new ArrayList<>();
        for (String line = next(); !line.equals("DONE"); line = next()) {
            if (!line.startsWith("ANSWER ")) {
                throw new AssertionError(line);
            }
            answers.add(line.substring("ANSWER ".length()));
        }
        return answers;
    }

    void signal(String name) throws IOException, InterruptedException {
        String pid = String.valueOf(process.pid());
        int code = new ProcessBuilder("kill", "-" + name, pid).start().waitFor();
        if (code != 0) {
            throw new AssertionError("kill -" + name + " exits with " + code);
        }
    }

    /** No more commands: it ends, and so do those that follow it. */
    void finish() throws IOException {
        commands.close();
    }

    int exit() throws InterruptedException {
        if (!process.waitFor(HANG_SECONDS, TimeUnit.SECONDS)) {
            throw new AssertionError("a rank does not end");
        }
        return process.exitValue();
    }

    @Override
    public void close() {
        process.destroyForcibly();
    }
}
