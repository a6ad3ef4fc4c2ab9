package io.cortado.text;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Cuts added tokens out of a text: first those of the raw text, then, in what is left and
 * normalized, those declared as normalized. Leftmost wins, then longest.
 */
final class AddedTokens {
    /** Takes the pieces from left to right: an added token, or normalized text. */
    interface Sink {
        /** A token, which stands at the units {@code [start, end)} of a text. */
        void token(AddedToken token, AlignedText text, int start, int end);

        /** Normalized text that is not empty, and whether it may spell control tokens. */
        void text(AlignedText text, int start, int end, boolean trusted);
    }

    @FunctionalInterface
    private interface PartSink {
        void part(@Nullable AddedToken token, int start, int end);
    }

    private record Candidate(AddedToken token, int end) {}

    private final TokenTrie raw;
    private final TokenTrie normalized;

    AddedTokens(List<AddedToken> tokens) {
        raw = new TokenTrie(tokens.stream().filter(t -> !t.normalized()).toList());
        normalized = new TokenTrie(tokens.stream().filter(AddedToken::normalized).toList());
    }

    void cut(PromptText prompt, Places places, Normalizer normalizer, Sink sink) {
        var cursor = new Places.Cursor(prompt.text(), places);
        cut(
                raw,
                prompt.text(),
                prompt,
                (token, start, end) -> {
                    if (token != null) {
                        sink.token(token, cursor.part(start, end, false), 0, end - start);
                    } else {
                        boolean isMixed = !normalized.isEmpty() && !prompt.isOneStretch(start, end);
                        AlignedText part = normalizer.normalize(cursor.part(start, end, isMixed));
                        boolean trusted = !prompt.isGuarded(start, end);
                        cutNormalized(
                                part,
                                isMixed
                                        ? new Trust.OfPlaces(prompt, part)
                                        : new Trust.Uniform(prompt.of(start, end)),
                                trusted,
                                sink);
                    }
                });
    }

    private void cutNormalized(AlignedText part, Trust trust, boolean trusted, Sink sink) {
        if (normalized.isEmpty()) {
            if (!part.isEmpty()) {
                sink.text(part, 0, part.length(), trusted);
            }
            return;
        }
        cut(
                normalized,
                part.text(),
                trust,
                (token, start, end) -> {
                    if (token != null) {
                        sink.token(token, part, start, end);
                    } else {
                        AlignedText rest = part.slice(start, end);
                        sink.text(rest, 0, rest.length(), trusted);
                    }
                });
    }

    private static void cut(TokenTrie trie, String text, Trust trust, PartSink sink) {
        int done = 0;
        int at = 0;
        while (at < text.length()) {
            if (!trie.mayStart(text.charAt(at))) {
                at++;
                continue;
            }
            Candidate match = find(trie, text, trust, at);
            if (match == null) {
                at++;
                continue;
            }
            int start = at;
            at = match.end;
            AddedToken token = match.token;
            if (!trust.of(start, match.end).allows(token)
                    || !standsAlone(token, text, start, match.end)) {
                continue;
            }
            int from =
                    token.lstrip()
                            ? Math.clamp(spacesBefore(text, start), Math.min(done, start), start)
                            : start;
            if (done < from) {
                sink.part(null, done, from);
            }
            int to = token.rstrip() ? spacesAfter(text, match.end) : match.end;
            // Of a token that the one before swallowed as white space the reference makes a token
            // all the same.
            sink.part(token, from, to);
            done = to;
        }
        if (done < text.length()) {
            sink.part(null, done, text.length());
        }
    }

    /**
     * The longest token at {@code start}. One that reaches over a border of trust without being
     * allowed to is no match at all: what a user writes must not hide the template's own token
     * behind it.
     */
    private static @Nullable Candidate find(TokenTrie trie, String text, Trust trust, int start) {
        var found = new Candidate[1];
        trie.visit(
                text,
                start,
                (token, end) -> {
                    if (trust.isOneStretch(start, end) || trust.of(start, end).allows(token)) {
                        found[0] = new Candidate(token, end);
                    }
                });
        return found[0];
    }

    private static boolean standsAlone(AddedToken token, String text, int start, int end) {
        return !token.singleWord()
                || ((start == 0 || !CharKind.isWord(text.codePointBefore(start)))
                        && (end == text.length() || !CharKind.isWord(text.codePointAt(end))));
    }

    private static int spacesBefore(String text, int start) {
        int i = start;
        while (i > 0 && CharKind.isSpace(text.charAt(i - 1))) {
            i--;
        }
        return i;
    }

    private static int spacesAfter(String text, int end) {
        int i = end;
        while (i < text.length() && CharKind.isSpace(text.charAt(i))) {
            i++;
        }
        return i;
    }
}
