package io.cortado.text;

/**
 * One step on the way from tokens to text. It works on a stream, so that text can be shown as it
 * comes: a piece is handed on as soon as no later token can change it.
 */
interface DecoderStep {
    /** Opens the step for one stream. */
    TokenStream open(TokenStream next);

    /** What becomes of a token in the middle of a text. */
    MiddleToken middle(MiddleToken token);
}
