package io.cortado.server.cli;

import io.cortado.api.GangOptions;
import java.util.Map;
import picocli.CommandLine.Option;

/**
 * Flags of ranks that share a model, and the environment that says which of them this process is:
 * RANK, WORLD_SIZE and RENDEZVOUS.
 */
final class GangFlags {
    @Option(
            names = "--expert-parallel-size",
            paramLabel = "N",
            description =
                    "spread experts over N ranks, the first of which serves; all in this process,"
                            + " or in N with RANK, WORLD_SIZE=N and RENDEZVOUS=FOLDER or HOST:PORT")
    int expertParallelSize;

    @Option(
            names = "--attention-ranks",
            paramLabel = "A",
            description =
                    "ranks that run all but the experts and serve, each its own requests: beside"
                            + " experts with --expert-parallel-size, apart with --expert-ranks")
    int attentionRanks;

    @Option(
            names = "--expert-ranks",
            paramLabel = "E",
            description = "ranks that hold experts and nothing else, with --attention-ranks")
    int expertRanks;

    @Option(
            names = "--redundant-experts",
            paramLabel = "N",
            description = "copies of experts beyond one each, in a layer, over all ranks")
    int redundantExperts;

    @Option(
            names = "--expert-nodes",
            paramLabel = "N",
            description =
                    "machines with as many expert ranks each, in order: experts of one of the"
                            + " model's groups stay on one, with --redundant-experts or"
                            + " --rebalance-s; default: ${DEFAULT-VALUE}")
    int expertNodes = GangOptions.NONE.expertNodes();

    @Option(
            names = "--rebalance-s",
            paramLabel = "SECONDS",
            description =
                    "how often experts may move to ranks that have less to do; default: never")
    int rebalanceSeconds;

    @Option(
            names = "--micro-batches",
            paramLabel = "N",
            description =
                    "1; 2: a step is computed in two halves, one while the other's tokens are with"
                            + " experts on other ranks; or auto: whichever took less time in steps"
                            + " of about as many tokens; default: ${DEFAULT-VALUE}")
    String microBatches = Integer.toString(GangOptions.NONE.microBatches());

    @Option(
            names = "--gang-timeout-s",
            paramLabel = "SECONDS",
            description =
                    "how long a rank waits for another before the gang fails; default:"
                            + " ${DEFAULT-VALUE}")
    double timeoutS = GangOptions.NONE.timeoutMs() / 1e3;

    /**
     * @param tensorParallelSize ranks of a model without experts on several
     */
    GangOptions options(Map<String, String> environment, int tensorParallelSize) {
        int worldSize = integer(environment, "WORLD_SIZE", 1);
        GangOptions gang =
                new GangOptions(
                        expertParallelSize,
                        attentionRanks,
                        expertRanks,
                        redundantExperts,
                        expertNodes,
                        rebalanceSeconds,
                        microBatches(),
                        milliseconds(),
                        0,
                        1,
                        "");
        boolean hasRanks = gang.spreadsExperts() || tensorParallelSize > 1;
        return hasRanks && worldSize > 1
                ? gang.process(
                        integer(environment, "RANK", -1),
                        worldSize,
                        environment.getOrDefault("RENDEZVOUS", ""))
                : gang;
    }

    private int microBatches() {
        return switch (microBatches) {
            case "auto" -> GangOptions.AUTO_MICRO_BATCHES;
            case "1" -> 1;
            case "2" -> 2;
            default ->
                    throw new IllegalArgumentException(
                            "micro-batches must be 1, 2 or auto: micro-batches=" + microBatches);
        };
    }

    private int milliseconds() {
        double ms = timeoutS * 1e3;
        if (!(ms >= 0 && ms <= Integer.MAX_VALUE)) {
            throw new IllegalArgumentException(
                    "gang-timeout-s must be a time that is not negative: gang-timeout-s="
                            + timeoutS);
        }
        return (int) Math.ceil(ms);
    }

    private static int integer(Map<String, String> environment, String name, int otherwise) {
        String text = environment.get(name);
        if (text == null || text.isBlank()) {
            return otherwise;
        }
        try {
            return Integer.parseInt(text.strip());
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException(
                    name + " must be a whole number: " + name + "=" + text, e);
        }
    }
}
