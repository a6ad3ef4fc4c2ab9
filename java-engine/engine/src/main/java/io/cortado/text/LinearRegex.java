package io.cortado.text;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Any split pattern, matched by a {@linkplain RegexAutomaton deterministic automaton}: the same
 * pieces as a backtracking engine finds, in time linear in the text.
 */
final class LinearRegex implements PieceFinder {
    /** Reading no further than this past a match costs no more than a constant factor. */
    private static final int FREE_OVERSHOOT = 64;

    /** Failures are remembered at two of this many places: a search notices a little later. */
    private static final int CHECKPOINT = 64;

    private static final int FREE_FAILURES = 1 << 20;
    private static final int FAILURES_PER_CHAR = 8;

    private final RegexAlphabet alphabet;
    private final RegexAutomaton automaton;
    private final List<RegexLookahead> looks;
    private final boolean hasAnchors;

    private LinearRegex(RegexProgram program) {
        var sets = new ArrayList<>(program.sets());
        program.looks().forEach(look -> sets.addAll(look.sets()));
        alphabet = new RegexAlphabet(sets);
        automaton = new RegexAutomaton(program, alphabet);
        looks = program.looks().stream().map(l -> new RegexLookahead(l, alphabet)).toList();
        hasAnchors = program.hasAnchors();
    }

    /** Compiles a pattern of nobody's trust; what it cannot do is refused by name. */
    static LinearRegex compile(String pattern) {
        return new LinearRegex(RegexProgram.compile(SplitRegexParser.parse(pattern)));
    }

    @Override
    public void find(String text, MatchSink sink) {
        find(text, 0, text.length(), sink);
    }

    @Override
    public void find(String text, int from, int to, MatchSink sink) {
        var search = new Search(text, from, to);
        int lastEnd = -1;
        for (int i = from; i < to; ) {
            int end = search.matchEnd(i);
            if (end > i) {
                sink.match(i, end);
                lastEnd = end;
                i = end;
            } else {
                if (end == i && i != lastEnd) {
                    sink.match(i, i);
                }
                i += Character.charCount(text.codePointAt(i));
            }
        }
    }

    /** One text, with the places from which no match can be found any more. */
    private final class Search {
        private static final int NONE = -1;

        private final String text;
        private final int from;
        private final int to;
        private final byte[] lookBits;
        private final Set<Long> failures = new HashSet<>();

        Search(String text, int from, int to) {
            this.text = text;
            this.from = from;
            this.to = to;
            lookBits = new byte[looks.isEmpty() ? 0 : to - from + 1];
            for (int k = 0; k < looks.size(); k++) {
                looks.get(k).mark(text, from, to, lookBits, k);
            }
        }

        /** The end of the match that begins at {@code start}, or {@link #NONE}. */
        int matchEnd(int start) {
            int state =
                    automaton.start(
                            hasAnchors ? RegexContext.before(alphabet, text, from, start) : 0);
            int end = NONE;
            int stateAtEnd = state;
            int i = start;
            while (true) {
                int step = step(state, i);
                if (RegexAutomaton.isMatch(step)) {
                    end = i;
                    stateAtEnd = state;
                }
                state = RegexAutomaton.next(step);
                if (state == RegexAutomaton.DEAD || isFailure(state, i)) {
                    break;
                }
                i += isPair(i) ? 2 : 1;
            }
            int sure = Math.max(end, start);
            if (i - sure > FREE_OVERSHOOT) {
                remember(stateAtEnd, sure, i);
            }
            return end;
        }

        private int step(int state, int i) {
            int symbol = alphabet.symbol(text, i, to);
            return automaton.step(
                    state,
                    lookBits.length == 0 ? symbol : symbol + alphabet.size() * lookBits[i - from]);
        }

        private boolean isPair(int i) {
            return i + 1 < to
                    && Character.isHighSurrogate(text.charAt(i))
                    && Character.isLowSurrogate(text.charAt(i + 1));
        }

        /** Whether it is known that nothing is found in {@code state} after the character at i. */
        private boolean isFailure(int state, int i) {
            return isCheckpoint(i)
                    && !failures.isEmpty()
                    && failures.contains((long) state << 32 | i);
        }

        /** Two neighbours, as one of them may lie inside a surrogate pair. */
        private static boolean isCheckpoint(int i) {
            return i % CHECKPOINT <= 1;
        }

        /**
         * Goes the way from {@code start} to {@code end} again, which has found nothing, and marks
         * it: no later search needs to go it a second time.
         */
        private void remember(int stateAtStart, int start, int end) {
            int state = stateAtStart;
            for (int i = start; i < end; i += isPair(i) ? 2 : 1) {
                state = RegexAutomaton.next(step(state, i));
                if (isCheckpoint(i)) {
                    failures.add((long) state << 32 | i);
                }
            }
            long limit = FREE_FAILURES + (long) FAILURES_PER_CHAR * (to - from);
            if (failures.size() > limit) {
                throw new TextBudgetException(
                        "split pattern remembers too much: places="
                                + failures.size()
                                + " limit="
                                + limit
                                + " textChars="
                                + (to - from));
            }
        }
    }
}
