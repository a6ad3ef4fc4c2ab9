package io.cortado.constrain;

import io.cortado.constrain.Regex.Kind;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Finds how many characters of a slice a lexer state admits: first by the shape of its lexemes,
 * else by walking both automata together. Where neither tells, the slice's trie is walked instead.
 */
final class SliceProofs {
    /** No number is proven. */
    static final int UNKNOWN = -1;

    /** The most pairs of states that a proof visits. */
    private static final int MAX_PAIRS = 400;

    /** A smaller trie is walked in the time of a proof. */
    private static final int MIN_NODES = 20_000;

    private record Pair(LexState inner, LexState outer) {}

    private record Question(Regex regex, Slice slice) {}

    private final Regexes regexes;
    private final Lexer lexer;
    private final Map<Slice, LexState> starts = new HashMap<>();
    private final Map<Question, Boolean> holds = new HashMap<>();
    private final Map<Question, Boolean> isOneEach = new HashMap<>();
    private final Map<Question, Boolean> mayBegin = new HashMap<>();

    SliceProofs(Regexes regexes, Lexer lexer) {
        this.regexes = regexes;
        this.lexer = lexer;
    }

    /**
     * The number n so that every string of at most n of the slice's characters may follow, and none
     * of more; at least the slice's longest where all may; {@link #UNKNOWN}.
     */
    int reach(LexState state, Slice slice) {
        int most = 0;
        boolean isKnown = true;
        for (Regex rest : state.rests) {
            int reach = reach(rest, slice);
            if (reach >= slice.maxChars()) {
                return reach;
            }
            isKnown &= reach != UNKNOWN;
            most = Math.max(most, reach);
        }
        if (isKnown && slice.knows(most)) {
            return most;
        }
        boolean isWorth = slice.trie().numNodes() >= MIN_NODES;
        return isWorth && walksTogether(state, slice) ? slice.maxChars() : UNKNOWN;
    }

    private int reach(Regex rest, Slice slice) {
        if (rest == Regex.ANYTHING) {
            return slice.maxChars();
        }
        if (rest.kind == Kind.OR) {
            int most = 0;
            boolean isKnown = true;
            for (Regex part : rest.parts) {
                int reach = regexes.isEmpty(part) ? 0 : reach(part, slice);
                if (reach >= slice.maxChars()) {
                    return reach;
                }
                isKnown &= reach != UNKNOWN;
                most = Math.max(most, reach);
            }
            return isKnown ? most : UNKNOWN;
        }
        Regex head = rest.kind == Kind.CONCAT ? rest.parts[0] : rest;
        if (head.kind != Kind.REPEAT || !holds(head.part(), slice)) {
            return UNKNOWN;
        }
        if (head.max >= slice.maxChars()) {
            return slice.maxChars();
        }
        Regex tail = rest.kind == Kind.CONCAT ? rest.parts[1] : Regex.EMPTY;
        return isOneEach(head.part(), slice) && !mayBegin(tail, slice) ? head.max : UNKNOWN;
    }

    /** Whether each of the characters is one of the part's strings. */
    private boolean holds(Regex part, Slice slice) {
        return holds.computeIfAbsent(
                new Question(part, slice), key -> regexes.isSubset(letter(slice), part));
    }

    /** Whether a string of the part that begins with such a character ends with it. */
    private boolean isOneEach(Regex part, Slice slice) {
        Regex longer =
                regexes.concat(
                        letter(slice), regexes.concat(regexes.bytes(ByteSet.ALL), Regex.ANYTHING));
        return isOneEach.computeIfAbsent(
                new Question(part, slice), key -> regexes.isEmpty(regexes.and(part, longer)));
    }

    /** Whether a string may begin with such a character. */
    private boolean mayBegin(Regex regex, Slice slice) {
        return mayBegin.computeIfAbsent(
                new Question(regex, slice),
                key ->
                        !regexes.isEmpty(
                                regexes.and(regex, regexes.concat(letter(slice), Regex.ANYTHING))));
    }

    private Regex letter(Slice slice) {
        return regexes.codePoints(slice.chars());
    }

    private boolean walksTogether(LexState state, Slice slice) {
        Set<Pair> seen = new HashSet<>();
        var open = new ArrayDeque<Pair>();
        LexState start = starts.computeIfAbsent(slice, s -> lexer.start(List.of(s.regex(regexes))));
        open.push(new Pair(start, state));
        while (!open.isEmpty()) {
            if (!follows(open.pop(), seen, open) || seen.size() > MAX_PAIRS) {
                return false;
            }
        }
        return true;
    }

    /** Whether each byte that the slice goes on with is one that the state goes on with. */
    private boolean follows(Pair pair, Set<Pair> seen, ArrayDeque<Pair> open) {
        LexState lastInner = LexState.DEAD;
        LexState lastOuter = LexState.DEAD;
        for (int value = 0; value < 256; value++) {
            LexState inner = lexer.next(pair.inner, value);
            if (inner == LexState.DEAD) {
                continue;
            }
            LexState outer = lexer.next(pair.outer, value);
            if (inner == lastInner && outer == lastOuter) {
                continue;
            }
            lastInner = inner;
            lastOuter = outer;
            if (outer == LexState.DEAD || inner.continues && !outer.continues) {
                return false;
            }
            var next = new Pair(inner, outer);
            if (inner.continues && seen.add(next)) {
                open.push(next);
            }
        }
        return true;
    }
}
