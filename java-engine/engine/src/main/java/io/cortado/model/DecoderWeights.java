package io.cortado.model;

import io.cortado.device.Buffer;
import io.cortado.device.Weights;
import io.cortado.moe.ExpertLayer;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A decoder's weights on the device. With tied embeddings the head is the embedding. */
record DecoderWeights(Weights embedding, List<Layer> layers, Buffer norm, Weights head) {
    /**
     * One layer; a bias or norm that the family does not have is null.
     *
     * @param qkv with latent attention its first projection, of queries and of latents
     * @param latent what latent attention has more; null: the family's is another
     * @param sinks float32[heads]
     */
    record Layer(
            @Nullable Buffer attentionInNorm,
            Weights qkv,
            @Nullable Buffer qkvBias,
            @Nullable Latent latent,
            @Nullable Buffer qNorm,
            @Nullable Buffer kNorm,
            @Nullable Buffer sinks,
            Weights output,
            @Nullable Buffer outputBias,
            @Nullable Buffer attentionOutNorm,
            @Nullable Buffer mlpInNorm,
            Mlp mlp,
            @Nullable Buffer mlpOutNorm) {

        long bytes() {
            return qkv.bytes()
                    + output.bytes()
                    + mlp.bytes()
                    + of(attentionInNorm)
                    + of(qkvBias)
                    + (latent == null ? 0 : latent.bytes())
                    + of(qNorm)
                    + of(kNorm)
                    + of(sinks)
                    + of(outputBias)
                    + of(attentionOutNorm)
                    + of(mlpInNorm)
                    + of(mlpOutNorm);
        }
    }

    /**
     * Of latent attention.
     *
     * @param queryNorm between the two projections of queries, as queryUp, the second; null: there
     *     is one
     * @param kvNorm of latents
     * @param keyUp per head, from queries to latent queries
     * @param valueUp per head, from latents to values
     */
    record Latent(
            @Nullable Buffer queryNorm,
            @Nullable Weights queryUp,
            Buffer kvNorm,
            Weights keyUp,
            Weights valueUp) {
        long bytes() {
            long ofQueries = queryUp == null ? 0 : queryUp.bytes();
            return of(queryNorm) + ofQueries + kvNorm.bytes() + keyUp.bytes() + valueUp.bytes();
        }
    }

    /** What follows attention. */
    sealed interface Mlp permits Dense, Experts {
        long bytes();
    }

    record Dense(
            Weights gateUp, @Nullable Buffer gateUpBias, Weights down, @Nullable Buffer downBias)
            implements Mlp {
        @Override
        public long bytes() {
            return gateUp.bytes() + of(gateUpBias) + down.bytes() + of(downBias);
        }
    }

    /**
     * @param shared the expert that all tokens have
     * @param sharedGate a row whose product with a token gates it; null: it is added as it is
     */
    record Experts(ExpertLayer chosen, @Nullable Dense shared, @Nullable Weights sharedGate)
            implements Mlp {
        @Override
        public long bytes() {
            return chosen.bytes()
                    + (shared == null ? 0 : shared.bytes())
                    + (sharedGate == null ? 0 : sharedGate.bytes());
        }
    }

    private static long of(@Nullable Buffer vector) {
        return vector == null ? 0 : vector.bytes();
    }

    /** All that was loaded; a head that is the embedding counts once. */
    long bytes() {
        long ends = embedding.bytes() + norm.bytes() + (head == embedding ? 0 : head.bytes());
        return ends + layers.stream().mapToLong(Layer::bytes).sum();
    }

    /** The experts of the layers that have them. */
    List<ExpertLayer> experts() {
        return layers.stream()
                .map(Layer::mlp)
                .filter(Experts.class::isInstance)
                .map(mlp -> ((Experts) mlp).chosen())
                .toList();
    }
}
