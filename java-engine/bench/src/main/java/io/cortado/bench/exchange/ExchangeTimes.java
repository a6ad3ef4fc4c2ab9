package io.cortado.bench.exchange;

import io.cortado.bench.Summary;
import io.cortado.gang.Parts;
import io.cortado.gang.Transport;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.TimeUnit;

/**
 * What rank 0 measures, medians in microseconds.
 *
 * @param smallUs an exchange of 8 bytes with each rank
 * @param roundTripUs there and back: two such exchanges
 * @param tokensUs all tokens to the other ranks, in equal parts, and word that all have theirs
 * @param copyUs a copy of as many bytes within memory, while the other ranks copy too
 */
public record ExchangeTimes(double smallUs, double roundTripUs, double tokensUs, double copyUs) {
    private static final int KIND = 1;
    private static final int SMALL_BYTES = 8;
    private static final long DEADLINE_NANOS = TimeUnit.SECONDS.toNanos(60);
    private static final int WARM_UP = 200;

    /** Tokens and their width in bf16, as a rank of a large model of experts has them. */
    public static final int TOKENS = 128;

    public static final int WIDTH = 7168;
    private static final long BYTES = 2L * TOKENS * WIDTH;

    /**
     * Called by all ranks. What they send lies, as an engine's does, in memory of the transport.
     */
    public static ExchangeTimes measure(Transport rank, int runs) {
        try (Arena arena = Arena.ofShared()) {
            return measure(rank, runs, arena);
        }
    }

    private static ExchangeTimes measure(Transport rank, int runs, Arena arena) {
        int size = rank.size();
        long part = BYTES / (size - 1);
        MemorySegment to = arena.allocate(part * size, 64);
        MemorySegment from = rank.allocate(part * size);
        double[] small = new double[runs];
        double[] roundTrips = new double[runs];
        double[] tokens = new double[runs];
        double[] copies = new double[runs];
        for (int run = -WARM_UP; run < runs; run++) {
            int at = Math.max(run, 0);
            exchange(rank, from, to, part, SMALL_BYTES); // all begin together
            long begun = System.nanoTime();
            exchange(rank, from, to, part, SMALL_BYTES);
            long once = System.nanoTime();
            exchange(rank, from, to, part, SMALL_BYTES);
            long twice = System.nanoTime();
            small[at] = (once - begun) / 1e3;
            roundTrips[at] = (twice - begun) / 1e3;
            begun = System.nanoTime();
            exchange(rank, from, to, part, part);
            exchange(rank, from, to, part, SMALL_BYTES); // who is done first waits for the others
            tokens[at] = (System.nanoTime() - begun) / 1e3;
            begun = System.nanoTime();
            MemorySegment.copy(from, 0, to, 0, BYTES);
            copies[at] = (System.nanoTime() - begun) / 1e3;
        }
        return new ExchangeTimes(
                Summary.of(small).median(),
                Summary.of(roundTrips).median(),
                Summary.of(tokens).median(),
                Summary.of(copies).median());
    }

    private static void exchange(
            Transport rank, MemorySegment from, MemorySegment to, long part, long bytes) {
        Parts send = Parts.even(from, rank.size(), part);
        Parts receive = Parts.even(to, rank.size(), part);
        for (int peer = 0; peer < rank.size(); peer++) {
            send.fill(peer, peer == rank.rank() ? 0 : bytes);
        }
        rank.exchange(KIND, send, receive, DEADLINE_NANOS);
    }
}
