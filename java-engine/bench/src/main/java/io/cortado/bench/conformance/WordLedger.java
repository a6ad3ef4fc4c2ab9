package io.cortado.bench.conformance;

import io.cortado.text.PreTokenization;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Judges a split by ids whose vocabulary is not at hand: a text's ids are those of its words one
 * after the other, and a word has the same ids wherever it stands.
 */
final class WordLedger {
    private final PreTokenization words;
    private final Map<String, int[]> known = new HashMap<>();

    WordLedger(PreTokenization words) {
        this.words = words;
    }

    void judge(LlamaCppTexts texts, int rows, Tally tally) {
        @Nullable String[] failures = new @Nullable String[rows];
        // What one text teaches may explain another one before it.
        boolean learns = true;
        while (learns) {
            int before = known.size();
            for (int i = 0; i < rows; i++) {
                List<String> pieces =
                        words.split(texts.texts().get(i)).stream()
                                .map(PreTokenization.Word::spelling)
                                .toList();
                failures[i] =
                        explains(pieces, texts.ids().get(i))
                                ? null
                                : texts.name()
                                        + ", text "
                                        + i
                                        + ": the ids do not fit the words "
                                        + pieces;
            }
            learns = known.size() > before;
        }
        for (String failure : failures) {
            if (failure == null) {
                tally.right();
            } else {
                tally.wrong(failure);
            }
        }
    }

    /** Strips known words from both ends; a single word that is left is learnt. */
    private boolean explains(List<String> pieces, int[] ids) {
        int first = 0;
        int last = pieces.size();
        int from = 0;
        int to = ids.length;
        for (int[] word; first < last && (word = known.get(pieces.get(first))) != null; first++) {
            if (from + word.length > to
                    || !Arrays.equals(word, Arrays.copyOfRange(ids, from, from + word.length))) {
                return false;
            }
            from += word.length;
        }
        for (int[] word; first < last && (word = known.get(pieces.get(last - 1))) != null; last--) {
            if (to - word.length < from
                    || !Arrays.equals(word, Arrays.copyOfRange(ids, to - word.length, to))) {
                return false;
            }
            to -= word.length;
        }
        // A word has at least one id and at most one for each byte letter.
        int most = pieces.subList(first, last).stream().mapToInt(String::length).sum();
        if (to - from < last - first || to - from > most) {
            return false;
        }
        if (last - first == 1) {
            known.put(pieces.get(first), Arrays.copyOfRange(ids, from, to));
        }
        return true;
    }
}
