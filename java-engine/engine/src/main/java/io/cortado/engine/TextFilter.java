package io.cortado.engine;

import io.cortado.text.StopStrings;
import io.cortado.text.StreamingDecoder;
import org.jspecify.annotations.Nullable;

/**
 * Ids to text that may be shown: whole characters, nothing that may become a stop string. The first
 * {@code minTokens} tokens are not searched for stop strings.
 */
final class TextFilter {
    private final StreamingDecoder decoder;
    private final StopStrings.@Nullable Matcher matcher;
    private final int minTokens;
    private int tokens;
    private int decodedChars;
    private StopStrings.@Nullable Match match;

    TextFilter(StreamingDecoder decoder, StopStrings.@Nullable Matcher matcher, int minTokens) {
        this.decoder = decoder;
        this.matcher = matcher;
        this.minTokens = minTokens;
    }

    /** The text that is certain after this token. */
    String feed(int id) {
        return search(decoder.feed(id), tokens++ >= minTokens);
    }

    /** The rest, when no token follows. */
    String flush() {
        String rest = search(decoder.flush(), tokens >= minTokens);
        return matcher == null ? rest : rest + matcher.flush();
    }

    private String search(String text, boolean searched) {
        decodedChars += text.length();
        if (matcher == null || !searched) {
            return text;
        }
        StopStrings.Step step = matcher.feed(text);
        if (step.match() != null) {
            match = step.match();
        }
        return step.text();
    }

    /** Characters that must be shown before the last token is: all of its own. */
    int lastTokenEnd() {
        return decodedChars + (decoder.isMidCharacter() ? 1 : 0);
    }

    /** The stop string that was met. */
    StopStrings.@Nullable Match match() {
        return match;
    }
}
