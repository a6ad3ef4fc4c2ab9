package io.cortado.model;

import io.cortado.device.Buffer;
import io.cortado.device.Weights;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A decoder's weights on the device. With tied embeddings the head is the embedding. */
record DecoderWeights(Weights embedding, List<Layer> layers, Buffer norm, Weights head) {
    /** One layer; a bias or norm that the family does not have is null. */
    record Layer(
            @Nullable Buffer attentionInNorm,
            Weights qkv,
            @Nullable Buffer qkvBias,
            @Nullable Buffer qNorm,
            @Nullable Buffer kNorm,
            Weights output,
            @Nullable Buffer outputBias,
            @Nullable Buffer attentionOutNorm,
            @Nullable Buffer mlpInNorm,
            Weights gateUp,
            @Nullable Buffer gateUpBias,
            Weights down,
            @Nullable Buffer downBias,
            @Nullable Buffer mlpOutNorm) {

        long bytes() {
            long matrices = qkv.bytes() + output.bytes() + gateUp.bytes() + down.bytes();
            return matrices
                    + bytes(attentionInNorm)
                    + bytes(qkvBias)
                    + bytes(qNorm)
                    + bytes(kNorm)
                    + bytes(outputBias)
                    + bytes(attentionOutNorm)
                    + bytes(mlpInNorm)
                    + bytes(gateUpBias)
                    + bytes(downBias)
                    + bytes(mlpOutNorm);
        }

        private static long bytes(@Nullable Buffer vector) {
            return vector == null ? 0 : vector.bytes();
        }
    }

    /** All that was loaded; a head that is the embedding counts once. */
    long bytes() {
        long ends = embedding.bytes() + norm.bytes() + (head == embedding ? 0 : head.bytes());
        return ends + layers.stream().mapToLong(Layer::bytes).sum();
    }
}
