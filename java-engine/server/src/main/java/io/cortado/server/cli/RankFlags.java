package io.cortado.server.cli;

import io.cortado.api.EngineException;
import io.cortado.api.RankLoad;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Flags of a plan over many ranks; all of them go with {@code --disaggregate}. */
final class RankFlags {
    @Option(
            names = "--disaggregate",
            required = true,
            description =
                    "plans attention and experts on ranks of their own: how many of each and how"
                            + " many micro-batches go to and fro, so that both sides take as long and"
                            + " the exchange is hidden; beside having them together")
    boolean isAsked;

    @Option(
            names = "--hardware",
            paramLabel = "NAME",
            description =
                    "of a rank: local, as --device here by its measured rates, or h100, by its data"
                            + " sheet; default: local")
    RankLoad.Hardware hardware = RankLoad.Hardware.LOCAL;

    @Option(
            names = "--ranks",
            paramLabel = "N",
            description = "all together; default: as many as give most tokens a second for each")
    @Nullable Integer ranks;

    @Option(
            names = "--tpot-ms",
            paramLabel = "MS",
            description = "the most between two tokens of an answer; default: 50")
    double tpotMs = 50;

    @Option(
            names = "--link-gb-s",
            paramLabel = "GB",
            description =
                    "10^9 bytes a second that a rank sends to others; default: local 4, h100 315"
                            + " within 8 and 42.5 beyond")
    @Nullable Double linkGb;

    @Option(
            names = "--link-us",
            paramLabel = "US",
            description =
                    "that an exchange takes at least; default: local 20, h100 15 within 8 and 30"
                            + " beyond")
    @Nullable Double linkMicros;

    @Option(
            names = "--balance",
            paramLabel = "PART",
            description = "mean by greatest load of the ranks with experts; default: 0.95")
    double balance = 0.95;

    /**
     * @param gang whose numbers of ranks are taken, 0: chosen
     */
    RankLoad load(int promptTokens, int outputTokens, @Nullable Integer batch, GangFlags gang) {
        return new RankLoad(
                hardware,
                promptTokens,
                outputTokens,
                batch == null ? 0 : positive("batch", batch),
                ranks == null ? 0 : positive("ranks", ranks),
                gang.attentionRanks,
                gang.expertRanks,
                tpotMs,
                linkGb == null ? 0 : positive("link-gb-s", linkGb) * 1e9,
                linkMicros == null ? -1 : notNegative(linkMicros),
                balance);
    }

    private static int positive(String name, int value) {
        positive(name, (double) value);
        return value;
    }

    private static double positive(String name, double value) {
        if (!(value > 0)) {
            throw EngineException.invalid(
                    name, "%s must be positive: %s=%s".formatted(name, name, value));
        }
        return value;
    }

    private static double notNegative(double micros) {
        if (!(micros >= 0)) {
            throw EngineException.invalid(
                    "link-us", "link-us must be 0 or more: link-us=" + micros);
        }
        return micros;
    }
}
