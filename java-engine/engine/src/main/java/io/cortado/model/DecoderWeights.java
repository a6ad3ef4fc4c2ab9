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
            @Nullable Buffer mlpOutNorm) {}
}
