package io.cortado.bench;

import io.cortado.bench.exchange.ExchangeTimes;
import io.cortado.bench.exchange.Ranks;
import io.cortado.gang.UcxTransport;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code bench exchange}: what it takes ranks of one machine to exchange. */
@Command(
        name = "exchange",
        description =
                "Exchanges between ranks, over UCX (a process each; UCX_TLS chooses the transport)"
                        + " and within a process: 128 tokens x 7168 bf16 from each rank to the"
                        + " others against a copy of as many bytes, and small messages there and"
                        + " back.",
        mixinStandardHelpOptions = true)
final class ExchangeBench implements Callable<Integer> {
    private static final double COPIES = 2;
    private static final double OVERHEAD_US = 50;
    private static final double ROUND_TRIP_US = 20;

    @Option(names = "--runs", description = "measured exchanges; the median counts")
    int runs = 1000;

    @Option(
            names = "--spins",
            description = "over UCX: looks in vain before a rank that waits yields its core")
    int spins = UcxTransport.DEFAULT_SPINS;

    @Option(names = "--json", paramLabel = "FILE", description = "the results as JSON as well")
    @Nullable Path json;

    @Override
    public Integer call() throws Exception {
        try {
            BenchCommand.require(runs >= 1 && runs <= 1_000_000, "runs", "in [1, 10^6]", runs);
            BenchCommand.require(spins >= 0, "spins", "at least 0", spins);
        } catch (BenchException e) {
            System.err.println("error: " + e.getMessage());
            return 2;
        }
        System.out.println("machine: " + Machine.describe());
        var results = new Results();
        var table =
                new Table(
                        "ranks",
                        "small us",
                        "there and back us",
                        "tokens us",
                        "copy us",
                        "/ copy",
                        "/ target",
                        "targets");
        String absence = UcxTransport.absence();
        for (int size : new int[] {2, 4}) {
            if (absence == null) {
                try {
                    add("ucx", size, Ranks.overUcx(size, runs, spins), table, results);
                } catch (IOException e) {
                    System.err.println("error: " + e.getMessage());
                    return 2;
                }
            }
            add("in_process", size, Ranks.inProcess(size, runs), table, results);
        }
        if (absence != null) {
            System.out.println("not over UCX: " + absence);
        }
        table.print(System.out);
        System.out.printf(
                Locale.ROOT,
                "targets: tokens at most %.0f x copy + %.0f us, there and back at most %.0f us%n%n",
                COPIES,
                OVERHEAD_US,
                ROUND_TRIP_US);
        results.print(System.out);
        if (json != null) {
            results.writeJson(json);
        }
        return 0;
    }

    private static void add(
            String kind, int size, ExchangeTimes times, Table table, Results results) {
        double ofCopy = times.tokensUs() / times.copyUs();
        double ofTarget = times.tokensUs() / (COPIES * times.copyUs() + OVERHEAD_US);
        String metric = "exchange_" + kind + "_" + size + "_";
        results.put(metric + "round_trip", times.roundTripUs(), "us");
        results.put(metric + "tokens", times.tokensUs(), "us");
        results.put(metric + "tokens_over_copy", ofCopy, "ratio");
        results.put(metric + "tokens_over_target", ofTarget, "ratio");
        table.row(
                size + " " + kind.replace('_', ' '),
                number(times.smallUs(), 1),
                number(times.roundTripUs(), 1),
                number(times.tokensUs(), 0),
                number(times.copyUs(), 0),
                number(ofCopy, 2),
                number(ofTarget, 2),
                word(ofTarget <= 1) + ", " + word(times.roundTripUs() <= ROUND_TRIP_US));
    }

    private static String word(boolean holds) {
        return holds ? "held" : "missed";
    }

    private static String number(double value, int digits) {
        return String.format(Locale.ROOT, "%." + digits + "f", value);
    }
}
