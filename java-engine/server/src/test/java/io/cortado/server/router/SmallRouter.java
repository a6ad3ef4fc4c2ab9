package io.cortado.server.router;

import java.io.IOException;
import java.net.ConnectException;
import java.net.http.HttpClient;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;

/**
 * Sends each prompt where most of its beginning is held and little waits, as llm-d's router does:
 * by the replicas' metrics, readiness and KV events alone.
 */
final class SmallRouter {
    /** Metrics that are older say nothing: the replica counts as full. */
    static final long STALE_NANOS = 2_000_000_000L;

    /** Tokens that a waiting or running request is worth. */
    private static final int TOKENS_PER_REQUEST = 32;

    /** What the router answers itself. */
    static final class LostException extends IOException {
        private static final long serialVersionUID = 1;

        LostException(String message, Throwable cause) {
            super(message, cause);
        }
    }

    /**
     * An answer and who gave it.
     *
     * @param tries replicas that were asked, at least 1
     */
    record Answered(HttpResponse<String> response, String replica, int tries) {}

    private final HttpClient client =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    private final List<Replica> replicas = new ArrayList<>();
    private final List<Thread> threads = new ArrayList<>();
    private final LongSupplier clock;
    private final AtomicLong ids = new AtomicLong();

    SmallRouter(LongSupplier clock) {
        this.clock = clock;
    }

    /** Follows the events of a server from here on; its metrics only once it is polled. */
    Replica add(String name, int port) {
        Replica replica = new Replica(name, port, client, clock);
        replicas.add(replica);
        threads.add(Thread.ofVirtual().start(() -> untilInterrupted(replica::follow)));
        return replica;
    }

    /** Polls all of them until the router is closed. */
    void start(long everyMs) {
        for (Replica replica : replicas) {
            threads.add(
                    Thread.ofVirtual()
                            .start(() ->
                                    untilInterrupted(() -> {
                                        while (true) {
                                            replica.poll();
                                            Thread.sleep(everyMs);
                                        }
                                    })));
        }
    }

    private interface Work {
        void run() throws InterruptedException;
    }

    private static void untilInterrupted(Work work) {
        try {
            work.run();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt(); // the router was closed
        }
    }

    /** The best replica beside those already asked. */
    Optional<Replica> choose(int[] prompt, Set<Replica> asked) {
        return replicas.stream()
                .filter(replica -> !asked.contains(replica) && replica.load().isReady())
                .max(
                        Comparator.comparing((Replica replica) -> !isStale(replica))
                                .thenComparingDouble(replica -> score(replica, prompt)));
    }

    boolean isStale(Replica replica) {
        return clock.getAsLong() - replica.load().atNanos() > STALE_NANOS;
    }

    private static double score(Replica replica, int[] prompt) {
        Replica.Load load = replica.load();
        return replica.prefixes().held(prompt)
                - TOKENS_PER_REQUEST * (load.running() + 4.0 * load.waiting())
                - load.kvUsage();
    }

    /**
     * Has a completion made; a replica that does not take it is followed by the next best.
     *
     * @throws LostException the replica went away after it had taken the request, or none is left
     */
    Answered complete(int[] prompt, String body) throws IOException, InterruptedException {
        Set<Replica> asked = new HashSet<>();
        String id = "router-" + ids.incrementAndGet();
        IOException last = new IOException("none is ready");
        for (Optional<Replica> next = choose(prompt, asked);
                next.isPresent();
                next = choose(prompt, asked)) {
            Replica replica = next.get();
            asked.add(replica);
            try {
                HttpResponse<String> response = replica.post("/v1/completions", body, id);
                if (response.statusCode() != 503) {
                    return new Answered(response, replica.name(), asked.size());
                }
                last = new IOException(replica.name() + " answered 503");
            } catch (ConnectException e) { // it has never seen the request
                last = e;
            } catch (IOException e) {
                replica.isOut();
                throw new LostException(replica.name() + " was lost with request " + id, e);
            }
            replica.isOut();
        }
        throw new LostException("no replica takes request " + id, last);
    }

    void close() throws InterruptedException {
        threads.forEach(Thread::interrupt);
        client.shutdownNow();
        for (Thread thread : threads) {
            thread.join();
        }
    }
}
