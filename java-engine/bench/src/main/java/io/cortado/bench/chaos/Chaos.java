package io.cortado.bench.chaos;

import io.cortado.bench.BenchException;
import io.cortado.bench.Results;
import io.cortado.bench.chaos.Tally.End;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;

/**
 * The whole run: canaries at idle, load in rounds, after each round a quiet moment in which the
 * server must be as it was, and SIGTERM in the middle of load.
 */
public final class Chaos {
    private static final long BASELINE_MS = 1000;
    private static final long POLL_MS = 10;
    private static final long ROUND_MS = 5000;
    private static final int MIN_ROUNDS = 6;
    private static final long FROZEN_MS = 700;
    private static final long LAST_LOAD_MS = 2000;
    private static final long SHUTDOWN_S = 3;
    private static final long EXIT_S = 20;
    private static final long SLOW_READER_MS = 1500;

    /** Of the time, before memory is judged. */
    private static final double WARM_UP = 0.4;

    /** After the warm-up, for a judgement of what grows. */
    private static final int LEAST_SAMPLES = 8;

    /** A run that is shorter may miss one of the events on a busy machine. */
    private static final int LONG_SECONDS = 120;

    private static final double ALLOWED_PART = 0.05;
    private static final long ALLOWED_HEAP = 2 << 20;
    private static final long ALLOWED_RESIDENT = 16 << 20;
    private static final long ALLOWED_HANDLES = 4;

    private static final Pattern FAULT =
            Pattern.compile("(?m)^.*(?: fault=|OutOfMemory|SEVERE|Exception|a fatal error).*$");

    /**
     * @param seconds of load
     * @param heap of the server's JVM, as 64m
     * @param flags of the server beside those of the run
     */
    public record Plan(int seconds, String heap, int clients, long seed, List<String> flags) {}

    private final Plan plan;
    private final Results results;
    private final PrintStream out;
    private final Fit heap = new Fit();
    private final Fit resident = new Fit();
    private final Fit threads = new Fit();
    private final Fit files = new Fit();
    private long scrapes;
    private double worstBaselineMs;

    public Chaos(Plan plan, Results results, PrintStream out) {
        this.plan = plan;
        this.results = results;
        this.out = out;
    }

    /** Runs, prints and judges; what does not hold is a failure of the results. */
    public void run() throws IOException, InterruptedException {
        Path log = Files.createTempFile("cortado-chaos-", ".log");
        try (ServerProcess server = ServerProcess.start(plan.heap(), flags(), log)) {
            Load load = new Load(server.port(), SLOW_READER_MS);
            List<Canary> canaries = atIdle(load);
            load.start(plan.clients(), plan.seed(), canaries);
            Scrape last = rounds(server, load);
            long exitMs = terminate(server, load);
            report(load.tally(), last, exitMs);
            judge(load.tally(), last, server);
        } finally {
            Files.deleteIfExists(log);
        }
    }

    private List<String> flags() {
        List<String> flags = new ArrayList<>(plan.flags());
        flags.addAll(
                List.of(
                        "--served-model-name",
                        Mix.MODEL,
                        "--max-num-seqs",
                        "8",
                        "--max-num-batched-tokens",
                        "256",
                        "--kv-cache-memory",
                        "2M",
                        "--kv-offload-gb",
                        "0.004",
                        "--max-waiting",
                        "10",
                        "--max-waiting-tokens",
                        "1500",
                        "--shutdown-timeout",
                        Long.toString(SHUTDOWN_S),
                        "--slow-reader-timeout-s",
                        Double.toString(SLOW_READER_MS / 1e3)));
        return flags;
    }

    /** What the canaries get while nobody else is there, twice: the second time from the cache. */
    private List<Canary> atIdle(Load load) throws IOException {
        List<Canary> expecting = new ArrayList<>();
        for (Canary canary : Canary.ALL) {
            String first = Judge.essence(ask(load, canary));
            String second = Judge.essence(ask(load, canary));
            if (!first.equals(second)) {
                load.tally()
                        .violation(
                                "canary %s at idle: %s, then %s"
                                        .formatted(canary.name(), first, second));
            }
            expecting.add(canary.expecting(first));
        }
        return expecting;
    }

    private String ask(Load load, Canary canary) throws IOException {
        try (HttpSocket socket = HttpSocket.open(load.port())) {
            socket.send(HttpSocket.request("POST", canary.path(), "idle", canary.body()));
            HttpSocket.Head head = socket.readHead();
            String body = socket.readBody(head);
            if (head.status() != 200) {
                throw new BenchException(
                        "canary %s at idle: status=%d %s"
                                .formatted(canary.name(), head.status(), body));
            }
            scrapes++; // an answer that no client counts
            return body;
        }
    }

    private Scrape rounds(ServerProcess server, Load load)
            throws IOException, InterruptedException {
        long start = System.nanoTime();
        long end = start + TimeUnit.SECONDS.toNanos(plan.seconds()) - ms(LAST_LOAD_MS);
        long roundMs =
                Math.max(
                        1000,
                        Math.min(
                                Math.max(ROUND_MS, plan.seconds() * 1000L / 60),
                                plan.seconds() * 1000L / MIN_ROUNDS));
        int round = 0;
        Scrape scrape;
        do {
            Thread.sleep(roundMs / 2);
            if (round % 3 == 1) {
                server.freeze(FROZEN_MS);
            }
            Thread.sleep(roundMs / 2);
            if (!server.isAlive()) {
                throw new BenchException("the server has died: " + server.errors());
            }
            boolean cuts = round % 2 == 0;
            load.hold(cuts);
            try {
                scrape = baseline(load);
                measure(server, (System.nanoTime() - start) / 1e9, cuts);
            } finally {
                load.release();
            }
            round++;
        } while (System.nanoTime() < end);
        return scrape;
    }

    private static long ms(long ms) {
        return TimeUnit.MILLISECONDS.toNanos(ms);
    }

    /** Nobody asks anything: all must be free and counted within the time. */
    private Scrape baseline(Load load) throws IOException, InterruptedException {
        long start = System.nanoTime();
        Tally tally = load.tally();
        while (true) {
            Scrape scrape = Scrape.of(load.port());
            double counted = scrape.sum("cortado_http_responses_total");
            long least = tally.numAnswers() + scrapes++;
            double passedMs = (System.nanoTime() - start) / 1e6;
            if (scrape.isIdle() && counted >= least) {
                worstBaselineMs = Math.max(worstBaselineMs, passedMs);
                long unseen = tally.numEnded() - tally.numEnded(End.ANSWERED);
                if (counted > least + unseen) {
                    tally.violation(
                            "the server counts %.0f answers, its clients %d and %d unseen"
                                    .formatted(counted, least, unseen));
                }
                return scrape;
            }
            if (passedMs > BASELINE_MS) {
                tally.violation(
                        "not at baseline after %.0f ms: %s answers_seen=%d"
                                .formatted(passedMs, scrape, least));
                return scrape;
            }
            Thread.sleep(POLL_MS);
        }
    }

    /**
     * @param isAlone no client has a connection
     */
    private void measure(ServerProcess server, double atSeconds, boolean isAlone)
            throws IOException, InterruptedException {
        heap.add(atSeconds, server.liveHeapBytes());
        resident.add(atSeconds, server.residentBytes());
        if (isAlone) {
            threads.add(atSeconds, server.threads());
            files.add(atSeconds, server.openFiles());
        }
    }

    /** In the middle of load; how long it took, or a violation. */
    private long terminate(ServerProcess server, Load load) throws InterruptedException {
        Thread.sleep(LAST_LOAD_MS);
        load.terminating();
        long start = System.nanoTime();
        server.terminate();
        int code = server.awaitExit(EXIT_S);
        long tookMs = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - start);
        if (code != 0) {
            load.tally()
                    .violation(
                            code < 0
                                    ? "the server runs on after SIGTERM: ms=" + tookMs
                                    : "the server's exit code is " + code);
            server.close();
        }
        load.end();
        return tookMs;
    }

    private void report(Tally tally, Scrape last, long exitMs) {
        tally.counts()
                .forEach((name, count) -> out.printf(Locale.ROOT, "%-24s %8d%n", name, count));
        results.put("chaos_requests", tally.numSent(), "requests");
        results.put("chaos_answered", tally.numEnded(End.ANSWERED), "requests");
        results.put("chaos_refused", tally.numEnded(End.REFUSED), "requests");
        results.put("chaos_queue_full", tally.numEnded(End.QUEUE_FULL), "requests");
        results.put("chaos_left", tally.numEnded(End.LEFT), "requests");
        results.put("chaos_given_up", tally.numEnded(End.GIVEN_UP), "requests");
        results.put("chaos_canaries_right", tally.numCanaries(), "answers");
        results.put("chaos_preemptions", last.sum("cortado_num_preemptions_total"), "sequences");
        results.put("chaos_offloads", last.sum("cortado_kv_block_offloads_total"), "blocks");
        results.put("chaos_from_host", last.sum("cortado_prefix_cache_host_hits_total"), "tokens");
        results.put("chaos_slow_readers", last.sum("cortado_slow_readers_total"), "clients");
        results.put("chaos_baseline_worst", worstBaselineMs, "ms");
        results.put("chaos_exit", exitMs, "ms");
        results.put("chaos_violations", tally.numViolations(), "violations");
        memory("heap", heap);
        memory("rss", resident);
    }

    private void memory(String name, Fit fit) {
        Fit judged = fit.after(WARM_UP);
        results.put("chaos_" + name + "_mean", judged.mean(), "B");
        results.put("chaos_" + name + "_slope", judged.slope(), "B/s");
        results.put("chaos_" + name + "_gain", judged.gain(), "B");
    }

    private void judge(Tally tally, Scrape last, ServerProcess server) throws IOException {
        if (tally.numSent() != tally.numEnded()) {
            tally.violation("sent=%d ended=%d".formatted(tally.numSent(), tally.numEnded()));
        }
        FAULT.matcher(server.errors())
                .results()
                .limit(5)
                .forEach(line -> tally.violation("the server's log: " + line.group()));
        tally.violations().forEach(results::fail);
        if (tally.numViolations() > tally.violations().size()) {
            results.fail("and more: violations=" + tally.numViolations());
        }
        flat("heap", heap, ALLOWED_HEAP);
        flat("rss", resident, ALLOWED_RESIDENT);
        flat("threads", threads, ALLOWED_HANDLES);
        flat("open files", files, ALLOWED_HANDLES);
        reached("canaries", tally.numCanaries());
        reached("preemptions", last.sum("cortado_num_preemptions_total"));
        reached("offloads", last.sum("cortado_kv_block_offloads_total"));
        reached("slow readers", last.sum("cortado_slow_readers_total"));
        reached("refusals at a full queue", tally.numEnded(End.QUEUE_FULL));
    }

    /** What a line through the samples after the warm-up gains, at most the allowance and 5%. */
    private void flat(String name, Fit fit, long allowed) {
        Fit judged = fit.after(WARM_UP);
        if (judged.size() < LEAST_SAMPLES) {
            out.printf("%s is not judged: samples=%d of %d%n", name, judged.size(), LEAST_SAMPLES);
            return;
        }
        double bound = allowed + ALLOWED_PART * judged.mean();
        if (judged.gain() > bound) {
            results.fail(
                    "%s grows: gain=%.0f bound=%.0f samples=%d"
                            .formatted(name, judged.gain(), bound, judged.size()));
        }
    }

    /** A long run that did not meet what it is for proves nothing; a short one says so. */
    private void reached(String what, double count) {
        if (count == 0 && plan.seconds() >= LONG_SECONDS) {
            results.fail("the run had no " + what);
        } else if (count == 0) {
            out.println("the run was short: it had no " + what);
        }
    }
}
