package io.cortado.constrain;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Interns lexer states and derives their successors. Under the lock of its space. */
final class Lexer {
    private static final int STATE_BYTES = 1_300;
    private static final int ENTRY_BYTES = 16;

    /** Lexemes and their rests, one after the other. */
    private record Key(List<Regex> entries) {}

    private final Regexes regexes;
    private final Footprint footprint;
    private final Map<Key, LexState> states = new HashMap<>();
    private final Map<List<Regex>, AcceptSet> acceptSets = new HashMap<>();

    Lexer(Regexes regexes, Footprint footprint) {
        this.regexes = regexes;
        this.footprint = footprint;
    }

    /** The state before the first byte of any of these. */
    LexState start(Collection<Regex> lexemes) {
        var entries = new ArrayList<Regex>(2 * lexemes.size());
        for (Regex lexeme : lexemes.stream().sorted((a, b) -> a.id - b.id).toList()) {
            entries.add(lexeme);
            entries.add(lexeme);
        }
        return state(entries, List.of());
    }

    /** The state after a byte; it is kept for all bytes that cannot be told from it. */
    LexState next(LexState state, int value) {
        LexState known = state.next[value];
        if (known != null) {
            return known;
        }
        ByteSet same = ByteSet.ALL;
        var entries = new ArrayList<Regex>();
        var accepted = new ArrayList<Regex>(1);
        for (int i = 0; i < state.rests.length; i++) {
            Regex before = state.rests[i];
            same = regexes.derivatives().sameAs(before, value, same);
            Regex rest = regexes.derivatives().of(before, value);
            if (regexes.isEmpty(rest)) {
                continue;
            }
            entries.add(state.lexemes[i]);
            entries.add(rest);
            if (rest.isNullable) {
                accepted.add(state.lexemes[i]);
            }
        }
        LexState next = state(entries, accepted);
        for (int b = same.next(0); b < 256; b = same.next(b + 1)) {
            state.next[b] = next;
        }
        return next;
    }

    AcceptSet accepts(List<Regex> lexemes) {
        return lexemes.isEmpty()
                ? AcceptSet.NONE
                : acceptSets.computeIfAbsent(lexemes, AcceptSet::new);
    }

    private LexState state(List<Regex> entries, List<Regex> accepted) {
        if (entries.isEmpty()) {
            return LexState.DEAD;
        }
        AcceptSet accepts = accepts(accepted);
        Key key = new Key(withAccepts(entries, accepted));
        LexState known = states.get(key);
        if (known != null) {
            return known;
        }
        int n = entries.size() / 2;
        var lexemes = new Regex[n];
        var rests = new Regex[n];
        for (int i = 0; i < n; i++) {
            lexemes[i] = entries.get(2 * i);
            rests[i] = entries.get(2 * i + 1);
        }
        var made = new LexState(states.size() + 1, lexemes, rests, accepts);
        states.put(key, made);
        footprint.add(STATE_BYTES + (long) ENTRY_BYTES * entries.size());
        return made;
    }

    /** Nullable rests accept after a byte and not before one, so acceptance belongs to the key. */
    private static List<Regex> withAccepts(List<Regex> entries, List<Regex> accepted) {
        if (accepted.isEmpty()) {
            return entries;
        }
        var key = new ArrayList<Regex>(entries);
        key.add(Regex.EMPTY);
        return key;
    }
}
