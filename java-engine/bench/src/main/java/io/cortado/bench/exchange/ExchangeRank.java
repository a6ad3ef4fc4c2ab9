package io.cortado.bench.exchange;

import io.cortado.gang.GangException;
import io.cortado.gang.GangSettings;
import io.cortado.gang.Rendezvous;
import io.cortado.gang.Transport;
import java.util.concurrent.TimeUnit;

/** A rank of {@code bench exchange} in a process of its own; rank 0 prints what it measures. */
public final class ExchangeRank {
    private static final long JOIN_NANOS = TimeUnit.SECONDS.toNanos(30);

    private ExchangeRank() {}

    /**
     * @param arguments runs, spins
     */
    public static void main(String[] arguments) {
        GangSettings settings = GangSettings.of(System.getenv());
        int runs = Integer.parseInt(arguments[0]);
        int spins = Integer.parseInt(arguments[1]);
        try (Transport rank = Rendezvous.join(settings, new byte[0], spins, JOIN_NANOS)) {
            ExchangeTimes times = ExchangeTimes.measure(rank, runs);
            if (rank.rank() == 0) {
                System.out.printf(
                        "%s %s %s %s%n",
                        times.smallUs(), times.roundTripUs(), times.tokensUs(), times.copyUs());
            }
        } catch (GangException e) {
            System.out.println("error: " + e.getMessage());
            System.exit(1);
        }
    }
}
