package io.cortado.api;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What is said of single tokens.
 *
 * @param logitBias added to the logits of these ids; -100 and below bans; at most 1024
 * @param allowedTokenIds none but these are drawn; at least one; null: all are
 * @param badWords texts that the output never holds as their own tokens, with or without a space
 *     before; at most 128 of 1 to 256 characters
 */
public record TokenRules(
        Map<Integer, Float> logitBias,
        @Nullable List<Integer> allowedTokenIds,
        List<String> badWords) {

    public static final TokenRules NONE = new TokenRules(Map.of(), null, List.of());

    private static final int MAX_BIAS = 1024;
    private static final int MAX_BAD_WORDS = 128;
    private static final int MAX_BAD_WORD = 256;

    public TokenRules {
        logitBias = Map.copyOf(logitBias);
        badWords = List.copyOf(badWords);
        Ranges.require(
                logitBias.size() <= MAX_BIAS,
                "logit_bias",
                "at most " + MAX_BIAS + " entries",
                logitBias.size());
        for (Float bias : logitBias.values()) {
            Ranges.require(
                    bias >= -100 && bias <= 100, "logit_bias", "values in [-100, 100]", bias);
        }
        if (allowedTokenIds != null) {
            allowedTokenIds = List.copyOf(allowedTokenIds);
            Ranges.require(!allowedTokenIds.isEmpty(), "allowed_token_ids", "at least 1 id", "[]");
        }
        Ranges.require(
                badWords.size() <= MAX_BAD_WORDS,
                "bad_words",
                "at most " + MAX_BAD_WORDS + " strings",
                badWords.size());
        for (String word : badWords) {
            Ranges.require(
                    !word.isBlank() && word.length() <= MAX_BAD_WORD,
                    "bad_words",
                    "strings of 1 to " + MAX_BAD_WORD + " characters, not all white space",
                    word.isBlank() ? "\"" + word + "\"" : word.length());
        }
    }

    public TokenRules logitBias(Map<Integer, Float> value) {
        return new TokenRules(value, allowedTokenIds, badWords);
    }

    public TokenRules allowedTokenIds(@Nullable List<Integer> value) {
        return new TokenRules(logitBias, value, badWords);
    }

    public TokenRules badWords(List<String> value) {
        return new TokenRules(logitBias, allowedTokenIds, value);
    }
}
