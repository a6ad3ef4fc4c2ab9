package io.cortado.engine;

import io.cortado.kv.TokenSource;
import io.cortado.text.Segment;
import io.cortado.text.Tokenizer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Where no repetition goes across: tokens that hold a breaker's text, and sequences of tokens whose
 * text does, the first token holding its beginning at its end (as llama.cpp finds them).
 */
final class DryBreakers {
    /** Repetitions go on for ever. */
    static final DryBreakers NONE = new DryBreakers(List.of());

    private static final int MAX_TAIL = 20;

    /**
     * Sequences that go on alike.
     *
     * @param heads their first tokens
     * @param ids the tokens after that
     */
    private record Tail(BitSet heads, int[] ids) {
        boolean ends(TokenSource tokens, int position) {
            int start = position - ids.length + 1;
            if (start < 1) {
                return false;
            }
            for (int i = ids.length - 1; i >= 0; i--) {
                if (tokens.token(start + i) != ids[i]) {
                    return false;
                }
            }
            return heads.get(tokens.token(start - 1));
        }
    }

    private final BitSet singles = new BitSet();
    private final List<Tail> tails = new ArrayList<>();

    /** The last ids of the tails. */
    private final BitSet lasts = new BitSet();

    /** Sequences of ids. */
    DryBreakers(List<int[]> sequences) {
        for (int[] ids : sequences) {
            if (ids.length == 1) {
                singles.set(ids[0]);
            } else {
                BitSet head = new BitSet();
                head.set(ids[0]);
                add(new Tail(head, Arrays.copyOfRange(ids, 1, ids.length)));
            }
        }
    }

    private void add(Tail tail) {
        tails.add(tail);
        lasts.set(tail.ids[tail.ids.length - 1]);
    }

    DryBreakers(List<String> texts, Tokenizer tokenizer) {
        // By text and by how much of its beginning a token ends with.
        List<@Nullable BitSet[]> heads = new ArrayList<>();
        texts.forEach(text -> heads.add(new @Nullable BitSet[text.length()]));
        for (int id = 0; id < tokenizer.vocabSize(); id++) {
            String token = new String(tokenizer.tokenBytes(id), StandardCharsets.UTF_8);
            for (int i = 0; i < texts.size(); i++) {
                look(id, token, texts.get(i), heads.get(i));
            }
        }
        for (int i = 0; i < texts.size(); i++) {
            addTails(texts.get(i), heads.get(i), tokenizer);
        }
    }

    private void look(int id, String token, String text, @Nullable BitSet[] heads) {
        if (token.contains(text)) {
            singles.set(id);
            return;
        }
        for (int overlap = 1; overlap < Math.min(text.length(), token.length() + 1); overlap++) {
            if (token.regionMatches(token.length() - overlap, text, 0, overlap)) {
                BitSet known = heads[overlap];
                BitSet ids = known == null ? new BitSet() : known;
                ids.set(id);
                heads[overlap] = ids;
            }
        }
    }

    private void addTails(String text, @Nullable BitSet[] heads, Tokenizer tokenizer) {
        for (int overlap = 1; overlap < text.length(); overlap++) {
            BitSet ids = heads[overlap];
            if (ids != null) {
                Segment rest = Segment.user(text.substring(overlap));
                int[] tail = tokenizer.encode(List.of(rest), false);
                if (tail.length > 0) {
                    add(new Tail(ids, Arrays.copyOf(tail, Math.min(MAX_TAIL, tail.length))));
                }
            }
        }
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
        if (lasts.get(id)) {
            for (int i = 0; i < tails.size(); i++) {
                if (tails.get(i).ends(tokens, position)) {
                    return true;
                }
            }
        }
        return false;
    }
}
