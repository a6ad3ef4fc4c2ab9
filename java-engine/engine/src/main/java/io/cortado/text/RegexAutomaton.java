package io.cortado.text;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/**
 * A pattern's deterministic automaton, built as texts need it: a state is the list of places in the
 * program, best first, before the next symbol is known. A match is told with the symbol after it,
 * so lookaheads of one character and anchors cost nothing. Shared by threads.
 */
final class RegexAutomaton {
    /** The state from which nothing matches any more. */
    static final int DEAD = 0;

    private static final int MAX_STATES = 2000;
    private static final long MAX_WORK = 50_000_000;

    private final RegexProgram program;
    private final RegexAlphabet alphabet;
    private final int looks;

    /**
     * By state and symbol: 0 not yet known, else the next state times 2, plus 2, plus 1 at a match.
     */
    private final int[][] steps = new int[MAX_STATES][];

    private final State[] states = new State[MAX_STATES];
    private final Map<State, Integer> known = new HashMap<>();
    private final int[] starts = new int[RegexContext.SIZE];
    private long work;

    /** A state's list and the context bits; equal by content. */
    private record State(int[] places, int before) {
        @Override
        public boolean equals(Object other) {
            return other instanceof State state
                    && state.before == before
                    && Arrays.equals(state.places, places);
        }

        @Override
        public int hashCode() {
            return Arrays.hashCode(places) * 31 + before;
        }
    }

    RegexAutomaton(RegexProgram program, RegexAlphabet alphabet) {
        this.program = program;
        this.alphabet = alphabet;
        this.looks = program.looks().size();
        intern(new State(new int[0], 0));
        for (int before = 0; before < starts.length; before++) {
            starts[before] = intern(new State(new int[] {0}, contextOf(before)));
        }
    }

    int start(int before) {
        return starts[before];
    }

    /**
     * The step from {@code state} at a symbol.
     *
     * @param symbol the character's symbol plus the alphabet's size times the bits of lookaheads
     * @return the next state in {@link #next}, and whether a match ends before the symbol in {@link
     *     #isMatch}
     */
    int step(int state, int symbol) {
        int[] row = steps[state];
        int step = row == null ? 0 : row[symbol];
        return step != 0 ? step : build(state, symbol);
    }

    static int next(int step) {
        return (step >> 1) - 1;
    }

    static boolean isMatch(int step) {
        return (step & 1) != 0;
    }

    private int contextOf(int before) {
        return program.hasAnchors() ? before : 0;
    }

    private synchronized int build(int state, int symbol) {
        int[] row = steps[state];
        if (row == null) {
            row = new int[alphabet.size() << looks];
            steps[state] = row;
        }
        if (row[symbol] == 0) {
            row[symbol] = compute(states[state], symbol);
        }
        return row[symbol];
    }

    private int compute(State from, int symbolAndLooks) {
        int symbol = symbolAndLooks % alphabet.size();
        int lookBits = symbolAndLooks / alphabet.size();
        var next = new IntList();
        var seen = new boolean[program.size()];
        var kept = new boolean[program.size()];
        var stack = new IntList();
        boolean isMatch = false;
        for (int i = 0; i < from.places.length && !isMatch; i++) {
            stack.add(from.places[i]);
            while (stack.size() > 0 && !isMatch) {
                int pc = stack.removeLast();
                if (seen[pc]) {
                    continue;
                }
                seen[pc] = true;
                work++;
                switch (program.op(pc)) {
                    case RegexProgram.CHAR -> {
                        if (isIn(symbol, pc) && !kept[pc + 1]) {
                            kept[pc + 1] = true;
                            next.add(pc + 1);
                        }
                    }
                    // A match beats all that comes after it in the list.
                    case RegexProgram.MATCH -> isMatch = true;
                    case RegexProgram.SPLIT -> {
                        stack.add(program.y(pc));
                        stack.add(program.x(pc));
                    }
                    case RegexProgram.JUMP -> stack.add(program.x(pc));
                    default -> {
                        if (holds(pc, from.before, symbol, lookBits)) {
                            stack.add(pc + 1);
                        }
                    }
                }
            }
        }
        requireWithin(work <= MAX_WORK, "steps", MAX_WORK);
        int after = contextOf(RegexContext.after(alphabet, symbol));
        int to = next.size() == 0 ? DEAD : intern(new State(next.toArray(), after));
        return (to << 1) + 2 + (isMatch ? 1 : 0);
    }

    private boolean isIn(int symbol, int pc) {
        return alphabet.isIn(symbol, program.sets().get(program.x(pc)));
    }

    private boolean holds(int pc, int before, int symbol, int lookBits) {
        boolean isNegative = program.y(pc) == 1;
        return switch (program.op(pc)) {
            case RegexProgram.NEXT -> isIn(symbol, pc) != isNegative;
            case RegexProgram.LOOK -> (lookBits >> program.x(pc) & 1) != 0 != isNegative;
            default -> RegexContext.holds(program.x(pc), alphabet, before, symbol);
        };
    }

    private int intern(State state) {
        Integer id = known.get(state);
        if (id == null) {
            id = known.size();
            requireWithin(id < MAX_STATES, "states", MAX_STATES);
            states[id] = state;
            known.put(state, id);
        }
        return id;
    }

    private static void requireWithin(boolean holds, String what, long limit) {
        if (!holds) {
            throw new TextBudgetException(
                    "split pattern needs too large an automaton: " + what + ">" + limit);
        }
    }
}
