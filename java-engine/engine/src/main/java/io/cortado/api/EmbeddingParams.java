package io.cortado.api;

import org.jspecify.annotations.Nullable;

/**
 * How embeddings are made. A null is the model's own: see {@link EmbeddingInfo}.
 *
 * @param pooling from many hidden states to one
 * @param normalize divided by their L2 norm
 * @param dimensions only so many of the first ones, before the division
 */
public record EmbeddingParams(
        @Nullable Pooling pooling, @Nullable Boolean normalize, @Nullable Integer dimensions) {

    private static final EmbeddingParams DEFAULTS = new EmbeddingParams(null, null, null);

    /** All of it as the model's files say. */
    public static EmbeddingParams defaults() {
        return DEFAULTS;
    }
}
