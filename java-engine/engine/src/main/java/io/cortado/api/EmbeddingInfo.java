package io.cortado.api;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * How a model makes embeddings: from {@code config.json}, and from the files that
 * sentence-transformers writes beside it ({@code modules.json}, {@code 1_Pooling/config.json}).
 * Without those the last token is taken and normalized.
 *
 * @param dimensions of the whole vector
 * @param pooling null where the files ask for one that is not built: requests must name theirs
 * @param maxTokens longest prompt
 * @param isMatryoshka the first dimensions alone are an embedding too
 * @param matryoshkaDimensions the numbers of dimensions that may be asked for; empty: any
 * @param refusal why requests without a pooling of their own are refused if {@link #pooling} is
 *     null, and why all are if it is not; null: none is
 */
public record EmbeddingInfo(
        int dimensions,
        @Nullable Pooling pooling,
        boolean normalize,
        int maxTokens,
        boolean isMatryoshka,
        List<Integer> matryoshkaDimensions,
        @Nullable String refusal) {
    public EmbeddingInfo {
        matryoshkaDimensions = List.copyOf(matryoshkaDimensions);
    }

    /**
     * Refuses what this model cannot give.
     *
     * @throws EngineException INVALID_REQUEST
     */
    public void check(EmbeddingParams params) {
        if (refusal != null && (pooling != null || params.pooling() == null)) {
            throw EngineException.invalid("model", "the model gives no embeddings: " + refusal);
        }
        Integer asked = params.dimensions();
        if (asked == null) {
            return;
        }
        if (!isMatryoshka) {
            throw EngineException.invalid(
                    "dimensions",
                    "dimensions cannot be chosen: config.json has neither is_matryoshka nor"
                            + " matryoshka_dimensions, the model gives all "
                            + dimensions
                            + ": dimensions="
                            + asked);
        }
        if (!matryoshkaDimensions.isEmpty() && !matryoshkaDimensions.contains(asked)) {
            throw EngineException.invalid(
                    "dimensions",
                    "dimensions must be one of the model's matryoshka_dimensions "
                            + matryoshkaDimensions
                            + ": dimensions="
                            + asked);
        }
        if (asked < 1 || asked > dimensions) {
            throw EngineException.invalid(
                    "dimensions",
                    "dimensions must be in [1, " + dimensions + "]: dimensions=" + asked);
        }
    }
}
