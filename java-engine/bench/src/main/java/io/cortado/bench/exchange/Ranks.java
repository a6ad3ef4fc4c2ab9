package io.cortado.bench.exchange;

import io.cortado.gang.InProcessGang;
import io.cortado.gang.Transport;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** Ranks that measure. */
public final class Ranks {
    private static final long HANG_SECONDS = 300;

    private Ranks() {}

    /** In processes of their own over UCX. */
    public static ExchangeTimes overUcx(int size, int runs, int spins)
            throws IOException, InterruptedException {
        Path folder = Files.createTempDirectory("cortado-exchange");
        List<Process> ranks = new ArrayList<>();
        try {
            for (int rank = 0; rank < size; rank++) {
                ranks.add(start(rank, size, folder, runs, spins));
            }
            for (Process rank : ranks) {
                if (!rank.waitFor(HANG_SECONDS, TimeUnit.SECONDS) || rank.exitValue() != 0) {
                    throw new IOException("a rank has failed: " + output(rank));
                }
            }
            String[] words = output(ranks.getFirst()).split(" ", -1);
            return new ExchangeTimes(
                    Double.parseDouble(words[0]),
                    Double.parseDouble(words[1]),
                    Double.parseDouble(words[2]),
                    Double.parseDouble(words[3]));
        } finally {
            ranks.forEach(Process::destroyForcibly);
            delete(folder);
        }
    }

    private static Process start(int rank, int size, Path folder, int runs, int spins)
            throws IOException {
        ProcessBuilder builder =
                new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Xmx256m",
                        "-XX:+UseSerialGC",
                        "--enable-native-access=ALL-UNNAMED",
                        "-Dcortado.root=" + System.getProperty("cortado.root", ""),
                        "-cp",
                        System.getProperty("java.class.path"),
                        ExchangeRank.class.getName(),
                        String.valueOf(runs),
                        String.valueOf(spins));
        builder.environment().put("RANK", String.valueOf(rank));
        builder.environment().put("WORLD_SIZE", String.valueOf(size));
        builder.environment().put("RENDEZVOUS", folder.toString());
        return builder.redirectError(Redirect.INHERIT).start();
    }

    private static String output(Process rank) throws IOException {
        return rank.isAlive()
                ? "it hangs"
                : new String(rank.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
    }

    private static void delete(Path folder) throws IOException {
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(file);
            }
        }
    }

    /** As threads of this process. */
    public static ExchangeTimes inProcess(int size, int runs) throws InterruptedException {
        try (ExecutorService threads = Executors.newFixedThreadPool(size)) {
            List<Future<ExchangeTimes>> times = new ArrayList<>();
            for (Transport rank : InProcessGang.create(size)) {
                times.add(threads.submit(() -> ExchangeTimes.measure(rank, runs)));
            }
            for (Future<ExchangeTimes> time : times) {
                time.get();
            }
            return times.getFirst().get();
        } catch (ExecutionException e) {
            throw new IllegalStateException(String.valueOf(e.getCause()), e);
        }
    }
}
