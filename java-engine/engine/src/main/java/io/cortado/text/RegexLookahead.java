package io.cortado.text;

import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;

/**
 * Where a lookahead matches, for all places of a text in one pass from its end: at each place the
 * set of program places from which the end of the lookahead can be reached.
 */
final class RegexLookahead {
    private static final int MAX_STATES = 2000;

    private final RegexProgram program;
    private final RegexAlphabet alphabet;
    private final Map<BitSet, Integer> known = new HashMap<>();
    private final BitSet[] states = new BitSet[MAX_STATES];
    private final Map<Long, Integer> steps = new HashMap<>();

    RegexLookahead(RegexProgram program, RegexAlphabet alphabet) {
        this.program = program;
        this.alphabet = alphabet;
        intern(new BitSet());
    }

    /**
     * Sets {@code bit} in {@code places[i - from]} for each place {@code i} of {@code text[from,
     * to)} where the lookahead matches.
     */
    synchronized void mark(String text, int from, int to, byte[] places, int bit) {
        int state = 0;
        for (int i = to; i >= from; ) {
            int symbol = alphabet.symbol(text, i, to);
            int before = program.hasAnchors() ? RegexContext.before(alphabet, text, from, i) : 0;
            long key = ((long) state * RegexContext.SIZE + before) * alphabet.size() + symbol;
            Integer next = steps.get(key);
            if (next == null) {
                next = intern(back(states[state], before, symbol));
                steps.put(key, next);
            }
            state = next;
            if (states[state].get(0)) {
                places[i - from] |= (byte) (1 << bit);
            }
            i = i == from ? from - 1 : text.offsetByCodePoints(i, -1);
        }
    }

    /** The places that reach the end, given those that do after the symbol. */
    private BitSet back(BitSet after, int before, int symbol) {
        var reaching = new BitSet(program.size());
        boolean grows = true;
        while (grows) {
            grows = false;
            for (int pc = program.size() - 1; pc >= 0; pc--) {
                if (!reaching.get(pc) && reaches(pc, reaching, after, before, symbol)) {
                    reaching.set(pc);
                    grows = true;
                }
            }
        }
        return reaching;
    }

    private boolean reaches(int pc, BitSet here, BitSet after, int before, int symbol) {
        int x = program.x(pc);
        return switch (program.op(pc)) {
            case RegexProgram.MATCH -> true;
            case RegexProgram.CHAR ->
                    alphabet.isIn(symbol, program.sets().get(x)) && after.get(pc + 1);
            case RegexProgram.SPLIT -> here.get(x) || here.get(program.y(pc));
            case RegexProgram.JUMP -> here.get(x);
            case RegexProgram.NEXT ->
                    alphabet.isIn(symbol, program.sets().get(x)) != (program.y(pc) == 1)
                            && here.get(pc + 1);
            default -> RegexContext.holds(x, alphabet, before, symbol) && here.get(pc + 1);
        };
    }

    private int intern(BitSet state) {
        Integer id = known.get(state);
        if (id == null) {
            id = known.size();
            if (id == MAX_STATES) {
                throw new TextBudgetException(
                        "split pattern needs too large an automaton: states>" + MAX_STATES);
            }
            states[id] = state;
            known.put(state, id);
        }
        return id;
    }
}
