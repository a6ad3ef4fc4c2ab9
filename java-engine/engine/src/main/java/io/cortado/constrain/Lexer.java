package io.cortado.constrain;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Interns lexer states and derives their successors. Under the lock of its space. */
final class Lexer {
    private static final int STATE_BYTES = 1_300;
    private static final int ENTRY_BYTES = 16;
    private static final int POINTER_BYTES = 4;
    private static final int CLASS_BYTES = 56;

    /** Lexemes and their rests, one after the other. */
    private record Key(List<Regex> entries) {}

    private final Regexes regexes;
    private final Footprint footprint;
    private final Map<Key, LexState> states = new HashMap<>();
    private final Map<Regex, LexState> alone = new HashMap<>();
    private final Map<List<Regex>, AcceptSet> acceptSets = new HashMap<>();

    Lexer(Regexes regexes, Footprint footprint) {
        this.regexes = regexes;
        this.footprint = footprint;
    }

    /** The state before the first byte of any of these. */
    LexState start(Collection<Regex> lexemes) {
        var entries = new ArrayList<Regex>(2 * lexemes.size());
        Regex[] sorted = lexemes.toArray(new Regex[0]);
        Arrays.sort(sorted, Regexes.BY_ID);
        for (Regex lexeme : sorted) {
            entries.add(lexeme);
            entries.add(lexeme);
        }
        return state(entries, List.of());
    }

    /** What is left of some lexeme, alone. */
    LexState alone(Regex rest) {
        LexState known = alone.get(rest);
        if (known != null) {
            return known;
        }
        Regex[] rests = {rest};
        AcceptSet accepts = rest.isNullable ? AcceptSet.ALONE : AcceptSet.NONE;
        var made = new LexState(newId(), rests, rests, accepts);
        alone.put(rest, made);
        footprint.add(STATE_BYTES);
        made.parts = new LexState[] {made};
        return made;
    }

    /** The state's rests, alone. */
    LexState[] parts(LexState state) {
        LexState[] known = state.parts;
        if (known != null) {
            return known;
        }
        var parts = new LexState[state.rests.length];
        Arrays.setAll(parts, i -> alone(state.rests[i]));
        footprint.add((long) POINTER_BYTES * parts.length);
        state.parts = parts;
        return parts;
    }

    /** The state after a byte; it is kept for all bytes that cannot be told from it. */
    LexState next(LexState state, int value) {
        LexState known = state.next[value];
        if (known != null) {
            return known;
        }
        LexState[] parts = parts(state);
        if (parts[0] == state) {
            return derived(state, value);
        }
        regexes.fuel().burn(parts.length);
        ByteSet same = ByteSet.ALL;
        var entries = new ArrayList<Regex>();
        var accepted = new ArrayList<Regex>(1);
        for (int i = 0; i < parts.length; i++) {
            if (!parts[i].continues) {
                continue;
            }
            LexState part = next(parts[i], value);
            same = same.and(parts[i].sameAs(value));
            if (part == LexState.DEAD) {
                continue;
            }
            entries.add(state.lexemes[i]);
            entries.add(part.rests[0]);
            if (part.accepts != AcceptSet.NONE) {
                accepted.add(state.lexemes[i]);
            }
        }
        LexState next = state(entries, accepted);
        state.lead(same, next);
        return next;
    }

    private LexState derived(LexState alone, int value) {
        ByteSet same = regexes.derivatives().sameAs(alone.rests[0], value, ByteSet.ALL);
        Regex rest = regexes.derivatives().of(alone.rests[0], value);
        LexState next = regexes.isEmpty(rest) ? LexState.DEAD : alone(rest);
        alone.learn(same);
        alone.lead(same, next);
        footprint.add(CLASS_BYTES);
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
        var made = new LexState(newId(), lexemes, rests, accepts);
        states.put(key, made);
        footprint.add(STATE_BYTES + (long) ENTRY_BYTES * entries.size());
        return made;
    }

    private int newId() {
        return states.size() + alone.size() + 1;
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
