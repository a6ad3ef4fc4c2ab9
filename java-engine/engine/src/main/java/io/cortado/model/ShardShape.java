package io.cortado.model;

/**
 * Megatron's split of a decoder (arXiv 1909.08053): a rank has a share of the query heads with the
 * KV heads that they read, of the columns between the matrices of an MLP, and of the head's rows.
 * Embedding and norms are on every rank.
 */
final class ShardShape {
    private ShardShape() {}

    /**
     * What a rank has.
     *
     * @throws ModelException if the model cannot be split so
     */
    static DecoderShape of(DecoderShape whole, Shard shard) {
        if (shard.isWhole()) {
            return whole;
        }
        requireKind(whole, shard);
        int size = shard.size();
        requireDivided("attention heads", whole.numQHeads(), size);
        requireDivided("intermediate_size", whole.intermediateSize(), size);
        int kvHeads = whole.numKvHeads();
        if (kvHeads % size != 0 && size % kvHeads != 0) {
            throw refused(
                    size,
                    "must divide the model's KV heads or be a multiple of them: %d"
                            .formatted(kvHeads));
        }
        DecoderShape shape =
                new DecoderShape(
                        whole.vocabSize(),
                        whole.hiddenSize(),
                        whole.intermediateSize() / size,
                        whole.numQHeads() / size,
                        Math.max(1, kvHeads / size),
                        whole.headDim(),
                        null,
                        false,
                        null,
                        whole.layers(),
                        whole.norms(),
                        whole.scores(),
                        whole.biases(),
                        new DecoderShape.Fusion(false, false),
                        whole.isParallel(),
                        whole.activation(),
                        whole.multipliers(),
                        false,
                        whole.numDraftLayers(),
                        shard);
        if (shape.headStride() * (size - 1L) >= whole.vocabSize()) {
            throw refused(
                    size,
                    "must leave every rank rows of the head, in groups of %d: vocab_size=%d"
                            .formatted(DecoderShape.HEAD_ROWS, whole.vocabSize()));
        }
        return shape;
    }

    private static void requireKind(DecoderShape whole, Shard shard) {
        String kind =
                whole.latent() != null
                        ? "latent attention"
                        : whole.experts() != null
                                ? "experts"
                                : whole.norms().qk() == DecoderShape.QkNorm.ALL_HEADS
                                        ? "norms over all heads together"
                                        : whole.hasSinks() ? "attention sinks" : "";
        if (!kind.isEmpty()) {
            throw refused(shard.size(), "must be 1 for a model with " + kind);
        }
    }

    private static void requireDivided(String what, int value, int size) {
        if (value % size != 0) {
            throw refused(size, "must divide the model's %s: %d".formatted(what, value));
        }
    }

    private static ModelException refused(int size, String why) {
        return ModelException.unsupported("tensor-parallel-size=%d %s".formatted(size, why));
    }

    /** The first of the whole model's KV heads that the rank has. */
    static int firstKvHead(DecoderShape whole, Shard shard) {
        return (int) ((long) shard.rank() * whole.numKvHeads() / shard.size());
    }
}
