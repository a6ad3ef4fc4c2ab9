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
        void token(int id);

        void text(String normalized);
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

    void cut(PromptText prompt, Normalizer normalizer, Sink sink) {
        cut(
                raw,
                prompt,
                (token, start, end) -> {
                    if (token != null) {
                        sink.token(token.id());
                    } else if (normalized.isEmpty()) {
                        emit(normalizer.normalize(prompt.text().substring(start, end)), sink);
                    } else {
                        cutNormalized(prompt.part(start, end).normalized(normalizer), sink);
                    }
                });
    }

    private void cutNormalized(PromptText part, Sink sink) {
        cut(
                normalized,
                part,
                (token, start, end) -> {
                    if (token != null) {
                        sink.token(token.id());
                    } else {
                        emit(part.text().substring(start, end), sink);
                    }
                });
    }

    private static void emit(String text, Sink sink) {
        if (!text.isEmpty()) {
            sink.text(text);
        }
    }

    private static void cut(TokenTrie trie, PromptText prompt, PartSink sink) {
        String text = prompt.text();
        int done = 0;
        int at = 0;
        while (at < text.length()) {
            if (!trie.mayStart(text.charAt(at))) {
                at++;
                continue;
            }
            Candidate match = find(trie, prompt, at);
            if (match == null) {
                at++;
                continue;
            }
            int start = at;
            at = match.end;
            AddedToken token = match.token;
            if (!prompt.trust(start, match.end).allows(token)
                    || !standsAlone(token, text, start, match.end)) {
                continue;
            }
            int from = token.lstrip() ? Math.max(spacesBefore(text, start), done) : start;
            if (done < from) {
                sink.part(null, done, from);
            }
            int to = token.rstrip() ? spacesAfter(text, match.end) : match.end;
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
    private static @Nullable Candidate find(TokenTrie trie, PromptText prompt, int start) {
        var found = new Candidate[1];
        trie.visit(
                prompt.text(),
                start,
                (token, end) -> {
                    if (prompt.isOneStretch(start, end) || prompt.trust(start, end).allows(token)) {
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
