package io.cortado.api;

/**
 * What {@link Engine#planRanks} is asked: a model with experts on many ranks, each a device, all of
 * a kind.
 *
 * @param hardware of each rank
 * @param promptTokens of a request
 * @param outputTokens of a request; a step is planned in which they are half done
 * @param batch answers at once, of all ranks; 0: as many as give most tokens a second
 * @param ranks of all together; 0: as many as give most tokens a second for each
 * @param attentionRanks of them; 0: chosen
 * @param expertRanks of them; 0: chosen
 * @param tpotMs the most between two tokens of an answer
 * @param linkBytesPerSecond that a rank sends to others; 0: as the hardware has it
 * @param linkMicros that an exchange takes at least; negative: as the hardware has it
 * @param balance mean by greatest load of ranks with experts
 */
public record RankLoad(
        Hardware hardware,
        int promptTokens,
        int outputTokens,
        int batch,
        int ranks,
        int attentionRanks,
        int expertRanks,
        double tpotMs,
        double linkBytesPerSecond,
        double linkMicros,
        double balance) {
    private static final int MAX_TOKENS = 1 << 24;
    private static final int MAX_BATCH = 10_000_000;
    private static final int MAX_RANKS = 1024;

    /** What a rank computes on. */
    public enum Hardware {
        /**
         * As the device of the options, by its measured rates, behind links of 4 GB/s and 20 us.
         */
        LOCAL,
        /**
         * An H100 SXM, by its data sheet: 60% of its peak, 80% of its memory's rate, 90% of 80 GB;
         * 70% of NVLink within 8 and 85% of 400 Gb/s beyond, an exchange 15 us and 30 us at least.
         */
        H100
    }

    public RankLoad {
        whole("prompt-tokens", promptTokens, 1, MAX_TOKENS);
        whole("output-tokens", outputTokens, 1, MAX_TOKENS);
        whole("batch", batch, 0, MAX_BATCH);
        whole("ranks", ranks, 0, MAX_RANKS);
        whole("attention-ranks", attentionRanks, 0, MAX_RANKS);
        whole("expert-ranks", expertRanks, 0, MAX_RANKS);
        real("tpot-ms", tpotMs, tpotMs > 0 && tpotMs <= 1e7, "in (0, 1e7]");
        real(
                "link-gb-s",
                linkBytesPerSecond / 1e9,
                linkBytesPerSecond >= 0 && linkBytesPerSecond <= 1e15,
                "in (0, 1e6]");
        real("link-us", linkMicros, linkMicros <= 1e7, "in [0, 1e7]");
        real("balance", balance, balance > 0 && balance <= 1, "in (0, 1]");
        if (ranks == 1) {
            throw EngineException.invalid(
                    "ranks", "ranks must be at least 2, one for attention and one for experts: 1");
        }
        if (ranks > 0
                && attentionRanks > 0
                && expertRanks > 0
                && attentionRanks + expertRanks != ranks) {
            throw EngineException.invalid(
                    "ranks",
                    "ranks must be attention-ranks + expert-ranks: ranks=%d attention-ranks=%d expert-ranks=%d"
                            .formatted(ranks, attentionRanks, expertRanks));
        }
        if (ranks > 0 && Math.max(attentionRanks, expertRanks) >= ranks) {
            throw EngineException.invalid(
                    "ranks",
                    "ranks must be more than those of one side: ranks=%d attention-ranks=%d expert-ranks=%d"
                            .formatted(ranks, attentionRanks, expertRanks));
        }
    }

    private static void whole(String name, int value, int low, int high) {
        real(name, value, value >= low && value <= high, "in [%d, %d]".formatted(low, high));
    }

    private static void real(String name, double value, boolean holds, String limit) {
        if (!holds) {
            throw EngineException.invalid(
                    name, "%s must be %s: %s=%s".formatted(name, limit, name, value));
        }
    }

    /** Tokens that an answer attends to. */
    public double contextTokens() {
        return promptTokens + outputTokens / 2.0;
    }

    /** All ranks where their number is said in one way or another; 0: it is not. */
    public int allRanks() {
        return attentionRanks > 0 && expertRanks > 0 ? attentionRanks + expertRanks : ranks;
    }
}
