package io.cortado.api;

/**
 * How ranks share a model with experts, and which of them this process is; that also for the ranks
 * of {@link EngineOptions#tensorParallelSize}.
 *
 * <p>With expertParallelSize the experts are spread over that many ranks, of which the first
 * attentionRanks run all else as well, each for its own requests. With attentionRanks and
 * expertRanks alone, ranks that run attention hold no experts and others nothing but experts.
 * Tokens are the same, to the bit, however ranks share the model.
 *
 * @param expertParallelSize ranks that hold experts beside attention; 0 and 1: experts are not
 *     spread
 * @param attentionRanks ranks that run all but the experts; 0: one where experts are spread
 * @param expertRanks ranks that hold experts and run no attention
 * @param redundantExperts copies of experts beyond one each, in a layer, over all ranks; their
 *     number and that of the experts is a multiple of the ranks
 * @param expertNodes machines of as many ranks with experts each, in the order of the ranks: with
 *     redundantExperts or rebalanceSeconds, the experts of a group, of which a token chooses few,
 *     are kept on one machine. Divides the model's groups and redundantExperts; 1: ranks are alike
 * @param rebalanceSeconds how often experts may move to ranks where they are chosen less at once;
 *     0: never. Tokens do not depend on it
 * @param microBatches of a step: 1, or 2, of which one is computed while the other's tokens are
 *     with the experts, or {@link #AUTO_MICRO_BATCHES}. The same on all ranks; tokens do not depend
 *     on it
 * @param timeoutMs how long a rank waits for another in an exchange before the gang fails
 * @param rank of this process; 0 and the other ranks with attention serve
 * @param worldSize processes; 1: all ranks are in this one
 * @param rendezvous where processes meet: a folder that all see, or host:port of rank 0
 */
public record GangOptions(
        int expertParallelSize,
        int attentionRanks,
        int expertRanks,
        int redundantExperts,
        int expertNodes,
        int rebalanceSeconds,
        int microBatches,
        int timeoutMs,
        int rank,
        int worldSize,
        String rendezvous) {
    /** Experts are where all else is. */
    public static final GangOptions NONE = new GangOptions(0, 0, 0, 0, 1, 0, 1, 30_000, 0, 1, "");

    /** Of a step: 1 or 2, whichever took less time in steps of about as many tokens. */
    public static final int AUTO_MICRO_BATCHES = 0;

    private static final int MAX_RANKS = 32;
    private static final int MAX_MICRO_BATCHES = 2;

    public GangOptions {
        OptionRules.requireRange("expert-parallel-size", expertParallelSize, 0, MAX_RANKS);
        OptionRules.requireRange("attention-ranks", attentionRanks, 0, MAX_RANKS);
        OptionRules.requireRange("expert-ranks", expertRanks, 0, MAX_RANKS);
        OptionRules.requireRange("redundant-experts", redundantExperts, 0, 1 << 14);
        OptionRules.requireRange("expert-nodes", expertNodes, 1, MAX_RANKS);
        OptionRules.requireRange("rebalance-s", rebalanceSeconds, 0, 1_000_000);
        OptionRules.requireRange(
                "micro-batches", microBatches, AUTO_MICRO_BATCHES, MAX_MICRO_BATCHES);
        OptionRules.requireRange("gang-timeout-ms", timeoutMs, 100, 3_600_000);
        boolean isSpread = expertParallelSize > 1;
        if (isSpread && expertRanks > 0) {
            throw EngineException.invalid(
                    "expert-ranks",
                    "expert-ranks are apart from attention and expert-parallel-size is not:"
                            + " expert-ranks=%d expert-parallel-size=%d"
                                    .formatted(expertRanks, expertParallelSize));
        }
        if (isSpread && attentionRanks > expertParallelSize) {
            throw EngineException.invalid(
                    "attention-ranks",
                    "attention-ranks must be at most expert-parallel-size=%d: attention-ranks=%d"
                            .formatted(expertParallelSize, attentionRanks));
        }
        if (!isSpread && attentionRanks > 0 != expertRanks > 0) {
            throw EngineException.invalid(
                    "expert-ranks",
                    "attention-ranks and expert-ranks need each other, or expert-parallel-size:"
                            + " attention-ranks=%d expert-ranks=%d"
                                    .formatted(attentionRanks, expertRanks));
        }
        boolean hasRanks = isSpread || expertRanks > 0;
        if (!hasRanks && (redundantExperts > 0 || rebalanceSeconds > 0)) {
            throw EngineException.invalid(
                    redundantExperts > 0 ? "redundant-experts" : "rebalance-s",
                    "redundant-experts and rebalance-s are for experts on several ranks:"
                            + " redundant-experts=%d rebalance-s=%d"
                                    .formatted(redundantExperts, rebalanceSeconds));
        }
        if (expertNodes > 1 && redundantExperts == 0 && rebalanceSeconds == 0) {
            throw EngineException.invalid(
                    "expert-nodes",
                    "expert-nodes is for redundant-experts or rebalance-s: expert-nodes="
                            + expertNodes);
        }
        if (!hasRanks && microBatches != 1) {
            throw EngineException.invalid(
                    "micro-batches",
                    "micro-batches other than 1 are for experts on several ranks, or on one of their own:"
                            + " micro-batches="
                            + microBatches);
        }
        int processes = isSpread ? expertParallelSize : attentionRanks + expertRanks;
        if (worldSize != 1 && hasRanks && worldSize != processes) {
            throw EngineException.invalid(
                    "WORLD_SIZE",
                    "WORLD_SIZE must be the number of ranks, %d, or 1 with all of them in one"
                                    .formatted(processes)
                            + " process: WORLD_SIZE="
                            + worldSize);
        }
        OptionRules.requireRange("RANK", rank, 0, worldSize - 1L);
        if (worldSize > 1 == rendezvous.isEmpty()) {
            throw EngineException.invalid(
                    "RENDEZVOUS",
                    "WORLD_SIZE above 1 and RENDEZVOUS need each other: WORLD_SIZE=%d RENDEZVOUS=%s"
                            .formatted(worldSize, rendezvous));
        }
    }

    /** Experts on several ranks, or on one that has nothing else. */
    public boolean spreadsExperts() {
        return expertParallelSize > 1 || expertRanks > 0;
    }

    /** Ranks that run all but the experts. */
    public int numAttention() {
        return Math.max(1, attentionRanks);
    }

    /** Ranks that hold experts. */
    public int numExperts() {
        return expertParallelSize > 1 ? expertParallelSize : expertRanks;
    }

    /** Whether this process serves requests; else it follows those that do. */
    public boolean serves() {
        return worldSize == 1 || rank < numAttention();
    }

    /** Micro-batches of a step, at most. */
    public int mostMicroBatches() {
        return microBatches == AUTO_MICRO_BATCHES ? MAX_MICRO_BATCHES : microBatches;
    }

    /** Experts on so many ranks beside attention. */
    public GangOptions expertParallel(int size) {
        return new GangOptions(
                size,
                attentionRanks,
                expertRanks,
                redundantExperts,
                expertNodes,
                rebalanceSeconds,
                microBatches,
                timeoutMs,
                rank,
                worldSize,
                rendezvous);
    }

    /** Attention and experts on so many ranks each. */
    public GangOptions apart(int attention, int experts) {
        return new GangOptions(
                expertParallelSize,
                attention,
                experts,
                redundantExperts,
                expertNodes,
                rebalanceSeconds,
                microBatches,
                timeoutMs,
                rank,
                worldSize,
                rendezvous);
    }

    /** With so many copies of experts, which move so often. */
    public GangOptions balance(int redundant, int everySeconds) {
        return new GangOptions(
                expertParallelSize,
                attentionRanks,
                expertRanks,
                redundant,
                expertNodes,
                everySeconds,
                microBatches,
                timeoutMs,
                rank,
                worldSize,
                rendezvous);
    }

    /** With experts of a group on one of so many machines. */
    public GangOptions expertNodes(int nodes) {
        return new GangOptions(
                expertParallelSize,
                attentionRanks,
                expertRanks,
                redundantExperts,
                nodes,
                rebalanceSeconds,
                microBatches,
                timeoutMs,
                rank,
                worldSize,
                rendezvous);
    }

    /** With steps of so many micro-batches. */
    public GangOptions microBatches(int value) {
        return new GangOptions(
                expertParallelSize,
                attentionRanks,
                expertRanks,
                redundantExperts,
                expertNodes,
                rebalanceSeconds,
                value,
                timeoutMs,
                rank,
                worldSize,
                rendezvous);
    }

    public GangOptions timeoutMs(int value) {
        return new GangOptions(
                expertParallelSize,
                attentionRanks,
                expertRanks,
                redundantExperts,
                expertNodes,
                rebalanceSeconds,
                microBatches,
                value,
                rank,
                worldSize,
                rendezvous);
    }

    /** Which process of how many this is, and where they meet. */
    public GangOptions process(int ofRank, int of, String at) {
        return new GangOptions(
                expertParallelSize,
                attentionRanks,
                expertRanks,
                redundantExperts,
                expertNodes,
                rebalanceSeconds,
                microBatches,
                timeoutMs,
                ofRank,
                of,
                at);
    }
}
