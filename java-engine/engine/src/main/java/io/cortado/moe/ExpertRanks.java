package io.cortado.moe;

/**
 * How a gang shares a model with experts: its first ranks run all but the experts, each for
 * sequences of its own, and the others hold the experts.
 *
 * @param attention ranks that run all but the experts
 * @param experts ranks that hold experts
 */
public record ExpertRanks(int attention, int experts) {
    public ExpertRanks {
        if (attention < 1 || experts < 1) {
            throw new IllegalArgumentException(
                    "there is a rank of each at least: attention-ranks=%d expert-ranks=%d"
                            .formatted(attention, experts));
        }
    }

    /** Ranks of the gang. */
    public int size() {
        return attention + experts;
    }

    /** Whether a rank of the gang runs attention; else it holds experts. */
    boolean isAttention(int rank) {
        return rank < attention;
    }

    /** A rank of the gang, as the number among those with experts. */
    int expertRank(int rank) {
        return rank - attention;
    }

    /** The inverse. */
    int gangRank(int expertRank) {
        return attention + expertRank;
    }
}
