package io.cortado.engine;

import io.cortado.api.Dry;
import io.cortado.kv.TokenSource;
import io.cortado.sampling.Sampler;

/**
 * Finds, for each token, the longest repetition of a sequence's end that it would go on with, and
 * what it loses for that. Linear in the tokens that are looked back at (Z-algorithm, Gusfield
 * 1997); memory is kept from call to call. One thread.
 */
final class DryMatches {
    private int[] backwards = {};
    private int[] lengths = {};

    /** By token: its longest repetition; all 0 between calls. */
    private final int[] longest;

    private int[] found = {};
    private int numFound;

    DryMatches(int vocabSize) {
        longest = new int[vocabSize];
    }

    /** Adds the penalties of the token after the first {@code length} to the sampler's last row. */
    void add(Dry dry, DryBreakers breakers, TokenSource tokens, int length, Sampler sampler) {
        int window = dry.lastN() < 0 ? length : Math.min(length, dry.lastN());
        int limit = sinceBreaker(breakers, tokens, length - 1, window);
        if (window <= dry.allowedLength() || limit < dry.allowedLength()) {
            return;
        }
        match(tokens, length - 1, window);
        collect(dry.allowedLength(), breakers, window, limit);
        for (int i = 0; i < numFound; i++) {
            int id = found[i];
            sampler.dry(id, -penalty(dry, longest[id] - dry.allowedLength()));
            longest[id] = 0;
        }
    }

    private static float penalty(Dry dry, int exponent) {
        double penalty = dry.multiplier() * Math.pow(dry.base(), exponent);
        return (float) Math.min(Float.MAX_VALUE, penalty);
    }

    /** Tokens after the last breaker: no repetition is longer. */
    private static int sinceBreaker(
            DryBreakers breakers, TokenSource tokens, int last, int window) {
        for (int i = 0; i < window; i++) {
            if (breakers.endsAt(tokens, last - i)) {
                return i;
            }
        }
        return window;
    }

    /**
     * For each place, counted from the end, how far the tokens before it are as those at the end.
     */
    private void match(TokenSource tokens, int last, int window) {
        if (backwards.length < window) {
            int capacity = Math.max(window, 2 * backwards.length);
            backwards = new int[capacity];
            lengths = new int[capacity];
            found = new int[capacity];
        }
        for (int i = 0; i < window; i++) {
            backwards[i] = tokens.token(last - i);
        }
        int left = 0;
        int right = 0;
        for (int i = 1; i < window; i++) {
            int same = i < right ? Math.min(right - i, lengths[i - left]) : 0;
            while (i + same < window && backwards[same] == backwards[i + same]) {
                same++;
            }
            lengths[i] = same;
            if (i + same > right) {
                left = i;
                right = i + same;
            }
        }
    }

    private void collect(int allowed, DryBreakers breakers, int window, int limit) {
        numFound = 0;
        for (int i = 1; i < window; i++) {
            int length = Math.min(limit, lengths[i]);
            int next = backwards[i - 1];
            if (length >= allowed && length > longest[next] && !breakers.isBreaker(next)) {
                if (longest[next] == 0) {
                    found[numFound++] = next;
                }
                longest[next] = length;
            }
        }
    }
}
