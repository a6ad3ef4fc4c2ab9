package io.cortado.engine;

import io.cortado.api.FinishReason;
import io.cortado.text.StopStrings;
import org.jspecify.annotations.Nullable;

/**
 * When one answer ends. Ids are compared on the loop's thread; only a request that has stop strings
 * makes its text there too, because the loop must know of a match before it runs the sequence on.
 * The consumer makes the same text again by the same rules.
 */
final class StopRules {
    private static final FinishReason LENGTH = new FinishReason.Length();

    private final int[] endIds;
    private final int minTokens;
    private final int maxTokens;
    private final @Nullable TextFilter text;

    /**
     * @param endIds the model's and the request's ids that end the answer
     * @param text null where there are no stop strings
     */
    StopRules(int[] endIds, int minTokens, int maxTokens, @Nullable TextFilter text) {
        this.endIds = endIds;
        this.minTokens = minTokens;
        this.maxTokens = maxTokens;
        this.text = text;
    }

    /** Ids that may not be drawn yet after so many tokens; empty where all may. */
    int[] banned(int numOutput) {
        return numOutput < minTokens ? endIds : NONE;
    }

    private static final int[] NONE = {};

    /** Why the answer ends with this token, its numOutput-th; null if it goes on. */
    @Nullable FinishReason check(int token, int numOutput) {
        if (numOutput > minTokens && contains(token)) {
            return new FinishReason.EndToken(token);
        }
        if (text != null) {
            text.feed(token);
            StopStrings.Match match = text.match();
            if (match != null) {
                return new FinishReason.StopString(match.text());
            }
        }
        return numOutput >= maxTokens ? LENGTH : null;
    }

    private boolean contains(int token) {
        for (int id : endIds) {
            if (id == token) {
                return true;
            }
        }
        return false;
    }
}
