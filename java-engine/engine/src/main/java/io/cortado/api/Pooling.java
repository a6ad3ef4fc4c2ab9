package io.cortado.api;

/** How the hidden states of a prompt's tokens, after the final norm, become one vector. */
public enum Pooling {
    /** Their mean, summed in float32 in the order of the tokens. */
    MEAN,
    /** That of the last token: what decoders are trained with. */
    LAST,
    /** That of the first token. */
    CLS
}
