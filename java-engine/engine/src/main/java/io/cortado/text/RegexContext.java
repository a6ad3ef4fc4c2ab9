package io.cortado.text;

/** What anchors know of the character before a place, as bits. */
final class RegexContext {
    /** How many values there are. */
    static final int SIZE = 8;

    private static final int TEXT_START = 1;
    private static final int AFTER_NEWLINE = 2;
    private static final int AFTER_WORD = 4;

    private static final SplitRegex.AnchorKind[] ANCHORS = SplitRegex.AnchorKind.values();

    private RegexContext() {}

    /** The bits at place {@code i} of a text that begins at {@code from}. */
    static int before(RegexAlphabet alphabet, String text, int from, int i) {
        return i == from
                ? TEXT_START
                : after(alphabet, alphabet.symbol(text, text.offsetByCodePoints(i, -1), i));
    }

    /** The bits behind a character. */
    static int after(RegexAlphabet alphabet, int symbol) {
        return (alphabet.isNewline(symbol) ? AFTER_NEWLINE : 0)
                | (alphabet.isWord(symbol) ? AFTER_WORD : 0);
    }

    /** Whether an anchor holds between what is before and the next symbol. */
    static boolean holds(int anchor, RegexAlphabet alphabet, int before, int symbol) {
        boolean isEnd = symbol == alphabet.end();
        boolean isBorder = (before & AFTER_WORD) != 0 != alphabet.isWord(symbol);
        return switch (ANCHORS[anchor]) {
            case TEXT_START -> (before & TEXT_START) != 0;
            case TEXT_END -> isEnd;
            case LINE_START ->
                    (before & TEXT_START) != 0 || ((before & AFTER_NEWLINE) != 0 && !isEnd);
            case LINE_END -> isEnd || alphabet.isNewline(symbol);
            case WORD_BORDER -> isBorder;
            case NO_WORD_BORDER -> !isBorder;
        };
    }
}
