package io.cortado.constrain;

import io.cortado.constrain.Regex.Kind;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Proves that a lexer state admits all strings of a slice: first by the shape of its lexemes, else
 * by walking both automata together. Where no proof is found the slice's trie is walked instead.
 */
final class SliceProofs {
    /** A smaller trie is walked in the time of a proof. */
    private static final int MIN_NODES = 20_000;

    private record Pair(LexState inner, LexState outer) {}

    private record Part(Regex part, Slice slice) {}

    private final Regexes regexes;
    private final Lexer lexer;
    private final int maxPairs;
    private final Map<Slice, LexState> starts = new HashMap<>();
    private final Map<Part, Boolean> repeats = new HashMap<>();

    SliceProofs(Regexes regexes, Lexer lexer, int maxPairs) {
        this.regexes = regexes;
        this.lexer = lexer;
        this.maxPairs = maxPairs;
    }

    boolean admits(LexState state, Slice slice) {
        return Arrays.stream(state.rests).anyMatch(rest -> repeats(rest, slice))
                || slice.trie().numNodes() >= MIN_NODES && walksTogether(state, slice);
    }

    /** Whether it begins with enough copies of something that each of the characters is. */
    private boolean repeats(Regex rest, Slice slice) {
        if (rest == Regex.ANYTHING) {
            return true;
        }
        if (rest.kind == Kind.OR) {
            return Arrays.stream(rest.parts)
                    .anyMatch(part -> !regexes.isEmpty(part) && repeats(part, slice));
        }
        Regex head = rest.kind == Kind.CONCAT ? rest.parts[0] : rest;
        if (head.kind != Kind.REPEAT || head.max < slice.maxChars()) {
            return false;
        }
        return repeats.computeIfAbsent(
                new Part(head.part(), slice),
                key -> regexes.isSubset(regexes.codePoints(slice.chars()), key.part()));
    }

    private boolean walksTogether(LexState state, Slice slice) {
        Set<Pair> seen = new HashSet<>();
        var open = new ArrayDeque<Pair>();
        LexState start = starts.computeIfAbsent(slice, s -> lexer.start(List.of(s.regex(regexes))));
        open.push(new Pair(start, state));
        while (!open.isEmpty()) {
            Pair pair = open.pop();
            LexState lastInner = null;
            LexState lastOuter = null;
            for (int value = 0; value < 256; value++) {
                LexState inner = lexer.next(pair.inner, value);
                if (inner == LexState.DEAD) {
                    continue;
                }
                if (!pair.outer.continues) {
                    return false;
                }
                LexState outer = lexer.next(pair.outer, value);
                if (outer == LexState.DEAD || inner.continues && !outer.continues) {
                    return false;
                }
                if (inner == lastInner && outer == lastOuter) {
                    continue;
                }
                lastInner = inner;
                lastOuter = outer;
                var next = new Pair(inner, outer);
                if (inner.continues && seen.add(next)) {
                    if (seen.size() > maxPairs) {
                        return false;
                    }
                    open.push(next);
                }
            }
        }
        return true;
    }
}
