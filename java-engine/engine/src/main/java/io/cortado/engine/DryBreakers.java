package io.cortado.engine;

import io.cortado.kv.TokenSource;
import io.cortado.text.Segment;
import io.cortado.text.Tokenizer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Comparator;
import java.util.List;

/**
 * Where no repetition goes across: tokens that hold a breaker's text, and sequences of tokens whose
 * text does, the first token holding its beginning at its end (as llama.cpp finds them).
 */
final class DryBreakers {
    /** Repetitions go on for ever. */
    static final DryBreakers NONE = new DryBreakers();

    private static final int MAX_TAIL = 20;

    private final BitSet singles = new BitSet();

    /** Longer ones, by their last id. */
    private final int[][] sequences;

    private DryBreakers() {
        sequences = new int[0][];
    }

    DryBreakers(List<String> texts, Tokenizer tokenizer) {
        List<int[]> longer = new ArrayList<>();
        for (int id = 0; id < tokenizer.vocabSize(); id++) {
            String token = new String(tokenizer.tokenBytes(id), StandardCharsets.UTF_8);
            for (String text : texts) {
                add(id, token, text, tokenizer, longer);
            }
        }
        longer.sort(Comparator.comparingInt(DryBreakers::last));
        sequences = longer.toArray(int[][]::new);
    }

    private void add(int id, String token, String text, Tokenizer tokenizer, List<int[]> longer) {
        if (token.contains(text)) {
            singles.set(id);
            return;
        }
        for (int at = Math.max(0, token.length() - text.length() + 1); at < token.length(); at++) {
            int overlap = token.length() - at;
            if (token.regionMatches(at, text, 0, overlap)) {
                String rest = text.substring(overlap);
                int[] tail = tokenizer.encode(List.of(Segment.user(rest)), false);
                int[] ids = new int[1 + Math.min(MAX_TAIL, tail.length)];
                ids[0] = id;
                System.arraycopy(tail, 0, ids, 1, ids.length - 1);
                longer.add(ids);
            }
        }
    }

    private static int last(int[] ids) {
        return ids[ids.length - 1];
    }

    /** True if a token is a breaker by itself. */
    boolean isBreaker(int id) {
        return singles.get(id);
    }

    /** True if a breaker ends with the token at this position. */
    boolean endsAt(TokenSource tokens, int position) {
        int id = tokens.token(position);
        if (singles.get(id)) {
            return true;
        }
        for (int i = firstEndingWith(id); i < sequences.length && last(sequences[i]) == id; i++) {
            if (ends(sequences[i], tokens, position)) {
                return true;
            }
        }
        return false;
    }

    private int firstEndingWith(int id) {
        int low = 0;
        int high = sequences.length;
        while (low < high) {
            int mid = (low + high) >>> 1;
            if (last(sequences[mid]) < id) {
                low = mid + 1;
            } else {
                high = mid;
            }
        }
        return low;
    }

    private static boolean ends(int[] ids, TokenSource tokens, int position) {
        int start = position - ids.length + 1;
        for (int i = 0; i < ids.length; i++) {
            if (start < 0 || tokens.token(start + i) != ids[i]) {
                return false;
            }
        }
        return true;
    }
}
