package io.cortado.layout;

/** A way to place a model on ranks, each a device. */
public sealed interface Layout {
    /** All of them. */
    int ranks();

    /** Parts of a step that follow each other through the layers. */
    int microBatches();

    /** What is where. */
    String text();

    /** All matrices split over the ranks, experts too. */
    record Tensor(int ranks) implements Layout {
        public Tensor {
            require("ranks", ranks);
        }

        @Override
        public int microBatches() {
            return 1;
        }

        @Override
        public String text() {
            return "TP " + ranks;
        }
    }

    /**
     * Whole attention on each rank, experts spread over all of them.
     *
     * @param microBatches of a step, the exchange of one beside the products of the other
     */
    record Spread(int ranks, int microBatches) implements Layout {
        public Spread {
            require("ranks", ranks);
            require("microBatches", microBatches);
        }

        @Override
        public String text() {
            return "EP %d, %d micro-batch%s"
                    .formatted(ranks, microBatches, microBatches == 1 ? "" : "es");
        }
    }

    /** Attention on some ranks, experts on others, micro-batches going to and fro. */
    record Apart(int attentionRanks, int expertRanks, int microBatches) implements Layout {
        public Apart {
            require("attentionRanks", attentionRanks);
            require("expertRanks", expertRanks);
            require("microBatches", microBatches);
        }

        @Override
        public int ranks() {
            return attentionRanks + expertRanks;
        }

        @Override
        public String text() {
            return "%d attention : %d experts, %d micro-batch%s"
                    .formatted(
                            attentionRanks,
                            expertRanks,
                            microBatches,
                            microBatches == 1 ? "" : "es");
        }
    }

    private static void require(String name, int value) {
        if (value < 1) {
            throw new IllegalArgumentException(name + " must be positive: " + name + "=" + value);
        }
    }
}
