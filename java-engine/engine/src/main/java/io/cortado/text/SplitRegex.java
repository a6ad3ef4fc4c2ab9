package io.cortado.text;

import java.util.List;

/** The syntax tree of a split pattern. */
sealed interface SplitRegex {
    int UNBOUNDED = Integer.MAX_VALUE;

    SplitRegex EMPTY = new Sequence(List.of());

    /** One character of a set. */
    record Chars(CodePointSet set) implements SplitRegex {}

    record Sequence(List<SplitRegex> parts) implements SplitRegex {}

    /** The first alternative that leads to a match wins. */
    record Choice(List<SplitRegex> alternatives) implements SplitRegex {}

    record Repeat(SplitRegex body, int min, int max, boolean greedy) implements SplitRegex {}

    /** What follows must (or must not) begin with {@code body}, which is not consumed. */
    record Look(SplitRegex body, boolean negative) implements SplitRegex {}

    record Anchor(AnchorKind kind) implements SplitRegex {}

    /** Assertions about the characters before and after a place. */
    enum AnchorKind {
        TEXT_START,
        TEXT_END,
        LINE_START,
        LINE_END,
        WORD_BORDER,
        NO_WORD_BORDER
    }
}
