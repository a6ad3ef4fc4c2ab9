package io.cortado.constrain;

import io.cortado.constrain.Regex.Kind;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Finds how many characters of a slice may follow in what is left of a lexeme: first by its shape,
 * else by walking both automata together. Where neither tells, tries are walked instead.
 */
final class SliceProofs {
    /** No number is proven. */
    static final int UNKNOWN = -1;

    /** The most pairs of states that a proof visits. */
    private static final int MAX_PAIRS = 400;

    /** A smaller trie is walked in the time of a proof. */
    private static final int MIN_NODES = 20_000;

    private static final int UNBOUNDED = Integer.MAX_VALUE;

    private record Pair(LexState inner, LexState outer) {}

    private record Question(Regex regex, CodePoints chars) {}

    private final Regexes regexes;
    private final Lexer lexer;
    private final Map<CodePoints, Regex> letters = new HashMap<>();
    private final Map<Question, Boolean> holds = new HashMap<>();
    private final Map<Question, Boolean> isOneEach = new HashMap<>();
    private final Map<Question, Boolean> mayBegin = new HashMap<>();
    private final Map<Question, Integer> walked = new HashMap<>();

    SliceProofs(Regexes regexes, Lexer lexer) {
        this.regexes = regexes;
        this.lexer = lexer;
    }

    /**
     * The number n so that of the slice's tokens every string of at most n of the slice's
     * characters may follow, and none of more; at least the slice's longest where all may; {@link
     * #UNKNOWN}.
     *
     * @param clamps of the slice's tokens, which the answer is about
     */
    int reach(Regex rest, Slice slice, Clamps clamps) {
        int byShape = reach(rest, slice);
        if (byShape != UNKNOWN && slice.knows(byShape)) {
            return byShape;
        }
        if (slice.trie().numNodes() < MIN_NODES) {
            return UNKNOWN;
        }
        return admitsAll(lexer.alone(clamps.of(rest)), slice) ? slice.maxChars() : UNKNOWN;
    }

    private int reach(Regex rest, Slice slice) {
        if (rest == Regex.ANYTHING) {
            return slice.maxChars();
        }
        if (rest.kind == Kind.OR) {
            return reachOfAny(rest, slice);
        }
        Regex head = rest.kind == Kind.CONCAT ? rest.parts[0] : rest;
        if (head.kind == Kind.AND) {
            return isAllButFew(head, slice) ? slice.maxChars() : UNKNOWN;
        }
        if (head.kind != Kind.REPEAT || !holds(head.part(), slice)) {
            return UNKNOWN;
        }
        if (head.max >= slice.maxChars()) {
            return slice.maxChars();
        }
        // Where the lexeme could end among them, such characters could go on in the next one.
        Regex tail = rest.kind == Kind.CONCAT ? rest.parts[1] : Regex.EMPTY;
        boolean isExact =
                !tail.isNullable && isOneEach(head.part(), slice) && !mayBegin(tail, slice);
        return isExact ? head.max : UNKNOWN;
    }

    private int reachOfAny(Regex union, Slice slice) {
        int most = 0;
        boolean isKnown = true;
        for (Regex part : union.parts) {
            int reach = regexes.isEmpty(part) ? 0 : reach(part, slice);
            if (reach >= slice.maxChars()) {
                return reach;
            }
            isKnown &= reach != UNKNOWN;
            most = Math.max(most, reach);
        }
        return isKnown ? most : UNKNOWN;
    }

    /**
     * Whether it is texts of any length of characters such as the slice's, without finitely many:
     * whatever it began with, it can then be completed.
     */
    private boolean isAllButFew(Regex both, Slice slice) {
        Regex all = both.withoutFew();
        return all != null
                && all.kind == Kind.REPEAT
                && all.max == Regexes.UNBOUNDED
                && holds(all.part(), slice);
    }

    /** Whether each of the characters is one of the part's strings. */
    private boolean holds(Regex part, Slice slice) {
        return holds.computeIfAbsent(
                new Question(part, slice.chars()), key -> regexes.isSubset(letter(slice), part));
    }

    /** Whether a string of the part that begins with such a character ends with it. */
    private boolean isOneEach(Regex part, Slice slice) {
        return isOneEach.computeIfAbsent(
                new Question(part, slice.chars()),
                key -> {
                    Regex more = regexes.concat(regexes.bytes(ByteSet.ALL), Regex.ANYTHING);
                    Regex longer = regexes.concat(letter(slice), more);
                    return regexes.isEmpty(regexes.and(part, longer));
                });
    }

    /** Whether a string may begin with such a character. */
    private boolean mayBegin(Regex regex, Slice slice) {
        return mayBegin.computeIfAbsent(
                new Question(regex, slice.chars()),
                key -> {
                    Regex begun = regexes.concat(letter(slice), Regex.ANYTHING);
                    return !regexes.isEmpty(regexes.and(regex, begun));
                });
    }

    private Regex letter(Slice slice) {
        return letters.computeIfAbsent(slice.chars(), regexes::codePoints);
    }

    /** First for any number of characters, which one walk tells of all slices of these. */
    private boolean admitsAll(LexState state, Slice slice) {
        int bytes =
                walked.computeIfAbsent(
                        new Question(state.rests[0], slice.chars()),
                        key -> bytesAdmitted(state, regexes.star(letter(slice))));
        if (bytes == UNBOUNDED) {
            return true;
        }
        // A string of so many bytes that may not follow has no more characters than that.
        return bytes != UNKNOWN
                && bytes > slice.maxChars()
                && bytesAdmitted(state, slice.regex(regexes)) == UNBOUNDED;
    }

    /**
     * The length of a shortest beginning of a string of {@code inner} that may not follow; {@link
     * #UNBOUNDED} if there is none, {@link #UNKNOWN} if that takes too long to tell.
     */
    private int bytesAdmitted(LexState state, Regex inner) {
        Set<Pair> seen = new HashSet<>();
        List<Pair> level = List.of(new Pair(lexer.alone(inner), state));
        for (int bytes = 1; !level.isEmpty(); bytes++) {
            var next = new ArrayDeque<Pair>();
            for (Pair pair : level) {
                if (!follows(pair, seen, next)) {
                    return bytes;
                }
                if (seen.size() > MAX_PAIRS) {
                    return UNKNOWN;
                }
            }
            level = List.copyOf(next);
        }
        return UNBOUNDED;
    }

    /** Whether each byte that the slice goes on with is one that the state goes on with. */
    private boolean follows(Pair pair, Set<Pair> seen, ArrayDeque<Pair> open) {
        if (!pair.outer.continues) {
            return false;
        }
        ByteSet left = ByteSet.ALL;
        for (int value = 0; value < 256; value = left.next(value)) {
            LexState inner = lexer.next(pair.inner, value);
            ByteSet same = pair.inner.sameAs(value);
            if (inner != LexState.DEAD) {
                LexState outer = lexer.next(pair.outer, value);
                if (outer == LexState.DEAD) {
                    return false;
                }
                same = same.and(pair.outer.sameAs(value));
                var next = new Pair(inner, outer);
                if (inner.continues && seen.add(next)) {
                    open.add(next);
                }
            }
            left = left.and(same.not());
        }
        return true;
    }
}
