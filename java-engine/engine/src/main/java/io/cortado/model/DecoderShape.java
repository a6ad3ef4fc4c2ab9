package io.cortado.model;

import io.cortado.device.Activation;
import io.cortado.device.DType;
import io.cortado.device.NormKind;
import io.cortado.moe.ExpertShape;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A decoder as data: what a family's file decides by a {@link ShapeBuilder}, {@link WeightLoader}
 * looks for and {@link CausalLm} runs.
 *
 * @param intermediateSize of a dense MLP
 * @param latent null: heads have keys and values of their own; else headDim is that of a latent
 *     key, and there is one KV head
 * @param hasSinks each head has a logit that takes part in the softmax and has no value
 * @param experts null: all layers are dense
 * @param layers what differs from layer to layer
 * @param isParallel attention and MLP read the same normed input and are added together
 * @param activation between gate and up
 * @param tiedEmbeddings the embedding is the head too
 * @param numDraftLayers behind the decoder's, in the same file, and not part of it: they predict
 *     further tokens
 * @param shard which rank's part this is, of a model that several run together
 */
record DecoderShape(
        int vocabSize,
        int hiddenSize,
        int intermediateSize,
        int numQHeads,
        int numKvHeads,
        int headDim,
        @Nullable Latent latent,
        boolean hasSinks,
        @Nullable Experts experts,
        List<Layer> layers,
        Norms norms,
        Scores scores,
        Biases biases,
        Fusion fusion,
        boolean isParallel,
        Activation activation,
        Multipliers multipliers,
        boolean tiedEmbeddings,
        int numDraftLayers,
        Shard shard) {

    /** Rows of the head that ranks share out come in groups: logits of a rank start aligned. */
    static final int HEAD_ROWS = 16;

    /**
     * @param window 0: none; or the number of tokens that a token sees, itself included
     * @param hasExperts else its MLP is dense
     */
    record Layer(int window, Rope rope, boolean hasExperts) {}

    /**
     * Keys and values of all heads are projections of one latent a token (DeepSeek-V2, arXiv
     * 2405.04434). The cache holds latents: queries and outputs are projected instead of them.
     *
     * @param queryRank between the two projections of queries; 0: there is one
     * @param rank elements of a latent; the key that all heads share is a latent and ropeDim more
     * @param nopeDim the first elements of a query, which do not rotate
     * @param valueDim of a head
     */
    record Latent(int queryRank, int rank, int nopeDim, int ropeDim, int valueDim) {
        int queryDim() {
            return nopeDim + ropeDim;
        }

        int keyDim() {
            return rank + ropeDim;
        }
    }

    /**
     * Layers whose MLP is a mixture of experts.
     *
     * @param sharedSize between the matrices of the expert that all tokens have; 0: there is none
     * @param hasSharedGate it is multiplied with a sigmoid of a row of its own
     */
    record Experts(ExpertShape shape, int sharedSize, boolean hasSharedGate, ExpertNames names) {}

    /**
     * @param offset added to every stored weight: 1 where the file holds w and 1 + w is meant
     * @param places the names of the norms of a layer
     */
    record Norms(NormKind kind, float eps, float offset, NormPlaces places, QkNorm qk) {}

    /** Names in a layer of the norms around attention and MLP; null: there is none. */
    record NormPlaces(
            @Nullable String attentionIn,
            @Nullable String attentionOut,
            @Nullable String mlpIn,
            @Nullable String mlpOut) {
        int count() {
            return one(attentionIn) + one(attentionOut) + one(mlpIn) + one(mlpOut);
        }

        private static int one(@Nullable String name) {
            return name == null ? 0 : 1;
        }
    }

    /** Norms of q and k before rope. */
    enum QkNorm {
        NONE,
        /** Each head on its own, all with the same weights. */
        EACH_HEAD,
        /** All heads together. */
        ALL_HEADS
    }

    /**
     * @param scale of q k^T
     * @param softCap of the scores; 0: none
     */
    record Scores(float scale, float softCap) {}

    /** Which projections have a bias. */
    record Biases(boolean qkv, boolean output, boolean mlp) {}

    /** Which projections the file stores as one matrix: q, k, v; gate, up. */
    record Fusion(boolean qkv, boolean gateUp) {}

    /**
     * @param residual of what attention and MLP add to the residual stream
     * @param logitSoftCap of the multiplied logits; 0: none
     */
    record Multipliers(float embedding, float residual, float logits, float logitSoftCap) {}

    int numLayers() {
        return layers.size();
    }

    /** Of the first layer behind the decoder's, with an embedding and a head of its own. */
    DecoderShape draftShape() {
        return new DecoderShape(
                vocabSize,
                hiddenSize,
                intermediateSize,
                numQHeads,
                numKvHeads,
                headDim,
                latent,
                hasSinks,
                experts,
                List.of(layers.getLast()),
                norms,
                scores,
                biases,
                fusion,
                isParallel,
                activation,
                multipliers,
                false,
                0,
                shard);
    }

    /** Rows of the head, all of them or the rank's share. */
    int headSize() {
        return shard.isWhole()
                ? vocabSize
                : Math.min(headStride(), vocabSize - shard.rank() * headStride());
    }

    /** Rows of the head of every rank but the last, which may have fewer. */
    int headStride() {
        return shard.isWhole()
                ? vocabSize
                : Math.ceilDiv(Math.ceilDiv(vocabSize, shard.size()), HEAD_ROWS) * HEAD_ROWS;
    }

    List<Integer> windows() {
        return layers.stream().map(Layer::window).toList();
    }

    /** Columns of what attention takes as queries. */
    int qSize() {
        return numQHeads * headDim;
    }

    /** Columns of what attention gives. */
    int attendedSize() {
        return latent == null ? qSize() : numQHeads * latent.rank;
    }

    /** Columns of what the output's projection takes. */
    int outputSize() {
        return latent == null ? qSize() : numQHeads * latent.valueDim;
    }

    int kvSize() {
        return numKvHeads * headDim;
    }

    /** Of a block of 16 tokens of the KV cache: keys and values of all layers. */
    long kvBytesPerBlock(DType kv) {
        long ofToken = latent == null ? 2L * kvSize() : kvSize();
        return numLayers() * ofToken * DecoderState.BLOCK_SIZE * kv.bytes();
    }

    /**
     * Columns of what the first projection gives: q, k, v, or what latent attention has instead.
     */
    int qkvSize() {
        return latent == null ? qSize() + 2 * kvSize() : firstQuerySize() + kvSize();
    }

    /** With latent attention: queries, or what they are projected from. */
    int firstQuerySize() {
        DecoderShape.Latent of = Objects.requireNonNull(latent);
        return of.queryRank > 0 ? of.queryRank : numQHeads * of.queryDim();
    }

    /** Biases of the experts' matrices. */
    long numExpertBiasElements() {
        return experts == null ? 0 : numExpertLayers() * experts.shape.numBiasElements();
    }

    /** Between the matrices of the widest dense MLP, that of a shared expert included. */
    int widestMlp() {
        boolean hasDense = layers.stream().anyMatch(layer -> !layer.hasExperts);
        int shared = experts == null ? 0 : experts.sharedSize;
        return Math.max(hasDense ? intermediateSize : 0, shared);
    }

    int numExpertLayers() {
        return (int) layers.stream().filter(Layer::hasExperts).count();
    }

    /** Weights of the norms of q and of k. */
    int qNormSize() {
        return qkNormSize(qSize());
    }

    int kNormSize() {
        return qkNormSize(kvSize());
    }

    private int qkNormSize(int allHeads) {
        return switch (norms.qk) {
            case NONE -> 0;
            case EACH_HEAD -> headDim;
            case ALL_HEADS -> allHeads;
        };
    }

    /** Weights, in elements: a tied head counts once. */
    long numParameters() {
        long matrices = 0;
        for (DecoderParts.Matrix matrix : new DecoderParts(this).all()) {
            matrices += matrix.rows() * matrix.cols();
        }
        return matrices + numVectorElements();
    }

    /** Those of them that are norms and biases. */
    long numVectorElements() {
        long hidden = hiddenSize;
        long attention =
                (biases.qkv ? qkvSize() : 0)
                        + (biases.output ? hidden : 0)
                        + qNormSize()
                        + kNormSize()
                        + (hasSinks ? numQHeads : 0)
                        + (latent == null ? 0 : latent.queryRank + latent.rank)
                        + norms.places.count() * hidden;
        long dense = biases.mlp ? 2L * intermediateSize + hidden : 0;
        long sparse = experts == null ? 0 : experts.shape.numVectorElements();
        int numSparse = numExpertLayers();
        return numLayers() * attention
                + (numLayers() - numSparse) * dense
                + numSparse * sparse
                + hidden;
    }
}
