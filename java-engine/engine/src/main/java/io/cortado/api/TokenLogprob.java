package io.cortado.api;

import java.util.List;

/**
 * A token's log-probability: of the raw logits after bans, untempered.
 *
 * @param id the token
 * @param text its text, U+FFFD where it is part of a character
 * @param bytes its bytes
 * @param logprob natural logarithm; finite
 * @param rank 1 for the likeliest
 * @param top the likeliest tokens at this place, likeliest first; their own {@code top} are empty
 */
public record TokenLogprob(
        int id, String text, byte[] bytes, float logprob, int rank, List<TokenLogprob> top) {}
