package io.cortado.text;

import java.util.ArrayList;
import java.util.List;

/**
 * A split pattern as instructions of a nondeterministic automaton; after each but JUMP, SPLIT and
 * MATCH the next one follows.
 */
final class RegexProgram {
    /** Takes one character of set {@code x}. */
    static final int CHAR = 0;

    /** Goes on at {@code x} and, with lower priority, at {@code y}. */
    static final int SPLIT = 1;

    static final int JUMP = 2;

    /** Holds if the next character is (y = 0) or is not (y = 1) in set {@code x}. */
    static final int NEXT = 3;

    /** Holds if lookahead {@code x} matches here (y = 0) or does not (y = 1). */
    static final int LOOK = 4;

    /** Holds if the anchor with ordinal {@code x} does. */
    static final int ANCHOR = 5;

    static final int MATCH = 6;

    private static final int MAX_INSTRUCTIONS = 10_000;
    private static final int MAX_LOOKS = 4;

    private final IntList ops = new IntList();
    private final IntList xs = new IntList();
    private final IntList ys = new IntList();
    private final List<CodePointSet> sets = new ArrayList<>();
    private final List<RegexProgram> looks = new ArrayList<>();
    private boolean hasAnchors;

    private RegexProgram() {}

    static RegexProgram compile(SplitRegex regex) {
        return compile(regex, true);
    }

    private static RegexProgram compile(SplitRegex regex, boolean mayLook) {
        var program = new RegexProgram();
        program.add(regex, mayLook);
        program.emit(MATCH, 0, 0);
        return program;
    }

    int size() {
        return ops.size();
    }

    int op(int pc) {
        return ops.at(pc);
    }

    int x(int pc) {
        return xs.at(pc);
    }

    int y(int pc) {
        return ys.at(pc);
    }

    List<CodePointSet> sets() {
        return sets;
    }

    /** The programs of lookaheads over more than one character. */
    List<RegexProgram> looks() {
        return looks;
    }

    boolean hasAnchors() {
        return hasAnchors;
    }

    private void add(SplitRegex regex, boolean mayLook) {
        switch (regex) {
            case SplitRegex.Chars(CodePointSet set) -> emit(CHAR, set(set), 0);
            case SplitRegex.Sequence(List<SplitRegex> parts) ->
                    parts.forEach(part -> add(part, mayLook));
            case SplitRegex.Choice(List<SplitRegex> alternatives) -> choice(alternatives, mayLook);
            case SplitRegex.Repeat repeat -> repeat(repeat, mayLook);
            case SplitRegex.Look(SplitRegex body, boolean negative) ->
                    look(body, negative ? 1 : 0, mayLook);
            case SplitRegex.Anchor(SplitRegex.AnchorKind kind) -> {
                hasAnchors = true;
                emit(ANCHOR, kind.ordinal(), 0);
            }
        }
    }

    private void choice(List<SplitRegex> alternatives, boolean mayLook) {
        var jumps = new IntList();
        for (int i = 0; i < alternatives.size(); i++) {
            boolean isLast = i == alternatives.size() - 1;
            int split = isLast ? -1 : emit(SPLIT, ops.size() + 1, 0);
            add(alternatives.get(i), mayLook);
            if (!isLast) {
                jumps.add(emit(JUMP, 0, 0));
                ys.set(split, ops.size());
            }
        }
        for (int i = 0; i < jumps.size(); i++) {
            xs.set(jumps.at(i), ops.size());
        }
    }

    private void repeat(SplitRegex.Repeat repeat, boolean mayLook) {
        for (int i = 0; i < repeat.min(); i++) {
            add(repeat.body(), mayLook);
        }
        var splits = new IntList();
        if (repeat.max() == SplitRegex.UNBOUNDED) {
            splits.add(emit(SPLIT, 0, 0));
            int split = splits.at(0);
            add(repeat.body(), mayLook);
            emit(JUMP, split, 0);
        } else {
            for (int i = repeat.min(); i < repeat.max(); i++) {
                splits.add(emit(SPLIT, 0, 0));
                add(repeat.body(), mayLook);
            }
        }
        for (int i = 0; i < splits.size(); i++) {
            int split = splits.at(i);
            xs.set(split, repeat.greedy() ? split + 1 : ops.size());
            ys.set(split, repeat.greedy() ? ops.size() : split + 1);
        }
    }

    private void look(SplitRegex body, int negative, boolean mayLook) {
        if (body instanceof SplitRegex.Chars(CodePointSet set)) {
            emit(NEXT, set(set), negative);
            return;
        }
        if (!mayLook || looks.size() == MAX_LOOKS) {
            throw new UnsupportedTokenizerException(
                    "split pattern not supported: lookaheads over more than one character: "
                            + (mayLook ? "limit=" + MAX_LOOKS : "one within the other"));
        }
        RegexProgram look = compile(body, false);
        emit(LOOK, looks.size(), negative);
        looks.add(look);
    }

    private int set(CodePointSet set) {
        int index = sets.indexOf(set);
        if (index < 0) {
            sets.add(set);
            index = sets.size() - 1;
        }
        return index;
    }

    private int emit(int op, int x, int y) {
        if (ops.size() == MAX_INSTRUCTIONS) {
            throw new TokenizerFormatException(
                    "split pattern too large: instructions>" + MAX_INSTRUCTIONS);
        }
        ops.add(op);
        xs.add(x);
        ys.add(y);
        return ops.size() - 1;
    }
}
