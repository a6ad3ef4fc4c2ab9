package io.cortado.api;

import java.util.List;

/**
 * "Don't repeat yourself": a token that would lengthen a repetition of what prompt and output end
 * with loses {@code multiplier * base^(length - allowedLength)} (p-e-w, text-generation-webui).
 *
 * @param multiplier in [0, 100]; 0: off
 * @param base in [1, 100]
 * @param allowedLength in [1, 1024]: repetitions shorter than this are free
 * @param lastN tokens that are looked back at, at most; -1: all
 * @param sequenceBreakers strings that no repetition spans; at most 32 of 1 to 64 characters
 */
public record Dry(
        float multiplier, float base, int allowedLength, int lastN, List<String> sequenceBreakers) {

    /** What a repetition breaks at where the request does not say (llama.cpp's). */
    public static final List<String> BREAKERS = List.of("\n", ":", "\"", "*");

    public static final Dry OFF = new Dry(0, 1.75f, 2, -1, BREAKERS);

    private static final int MAX_BREAKERS = 32;
    private static final int MAX_BREAKER = 64;

    public Dry {
        sequenceBreakers = List.copyOf(sequenceBreakers);
        Ranges.within("dry_multiplier", 0, 100, multiplier);
        Ranges.within("dry_base", 1, 100, base);
        Ranges.within("dry_allowed_length", 1, 1024, allowedLength);
        Ranges.require(lastN >= -1, "dry_penalty_last_n", "-1 or at least 0", lastN);
        Ranges.require(
                sequenceBreakers.size() <= MAX_BREAKERS,
                "dry_sequence_breakers",
                "at most " + MAX_BREAKERS + " strings",
                sequenceBreakers.size());
        for (String breaker : sequenceBreakers) {
            Ranges.require(
                    !breaker.isEmpty() && breaker.length() <= MAX_BREAKER,
                    "dry_sequence_breakers",
                    "strings of 1 to " + MAX_BREAKER + " characters",
                    breaker.length());
        }
    }

    public boolean isOff() {
        return multiplier == 0 || lastN == 0;
    }

    public Dry multiplier(float value) {
        return new Dry(value, base, allowedLength, lastN, sequenceBreakers);
    }

    public Dry base(float value) {
        return new Dry(multiplier, value, allowedLength, lastN, sequenceBreakers);
    }

    public Dry allowedLength(int value) {
        return new Dry(multiplier, base, value, lastN, sequenceBreakers);
    }

    public Dry lastN(int value) {
        return new Dry(multiplier, base, allowedLength, value, sequenceBreakers);
    }

    public Dry sequenceBreakers(List<String> value) {
        return new Dry(multiplier, base, allowedLength, lastN, value);
    }
}
