package io.cortado.constrain;

import java.util.Map;

/** Reads the character classes of patterns: brackets and escapes. */
final class ClassParser {
    private static final CodePoints DIGIT = CodePoints.range('0', '9');
    private static final CodePoints WORD =
            CodePoints.ofRanges('0', '9', 'A', 'Z', 'a', 'z', '_', '_');
    private static final Map<String, CodePoints> POSIX =
            Map.ofEntries(
                    Map.entry("alpha", CodePoints.ofRanges('A', 'Z', 'a', 'z')),
                    Map.entry("digit", DIGIT),
                    Map.entry("alnum", CodePoints.ofRanges('0', '9', 'A', 'Z', 'a', 'z')),
                    Map.entry("upper", CodePoints.range('A', 'Z')),
                    Map.entry("lower", CodePoints.range('a', 'z')),
                    Map.entry("space", CodePoints.ofRanges('\t', '\r', ' ', ' ')),
                    Map.entry("blank", CodePoints.ofRanges('\t', '\t', ' ', ' ')),
                    Map.entry("punct", CodePoints.ofRanges('!', '/', ':', '@', '[', '`', '{', '~')),
                    Map.entry("print", CodePoints.range(' ', '~')),
                    Map.entry("graph", CodePoints.range('!', '~')),
                    Map.entry("cntrl", CodePoints.ofRanges(0, 0x1F, 0x7F, 0x7F)),
                    Map.entry("word", WORD),
                    Map.entry("xdigit", CodePoints.ofRanges('0', '9', 'A', 'F', 'a', 'f')),
                    Map.entry("ascii", CodePoints.range(0, 0x7F)));

    private final PatternText text;
    private final RegexDialect dialect;
    private final Fuel fuel;

    ClassParser(PatternText text, RegexDialect dialect, Fuel fuel) {
        this.text = text;
        this.dialect = dialect;
        this.fuel = fuel;
    }

    /**
     * After the opening bracket, up to and with the closing one.
     *
     * @param foldsCase whether ASCII letters stand for both cases
     */
    CodePoints bracket(boolean foldsCase) {
        boolean isNegated = text.take('^');
        CodePoints set = CodePoints.NONE;
        // Elsewhere than in ECMA-262 a bracket in the first place stands for itself.
        if (dialect != RegexDialect.ECMA && text.take(']')) {
            set = CodePoints.of(']');
        }
        while (!text.take(']')) {
            set = set.or(member());
        }
        CodePoints folded = foldsCase ? folded(set) : set;
        return isNegated ? folded.not() : folded;
    }

    static CodePoints folded(CodePoints set) {
        CodePoints folded = set;
        for (int letter = 'a'; letter <= 'z'; letter++) {
            int upper = letter - 'a' + 'A';
            if (set.contains(letter) || set.contains(upper)) {
                folded = folded.or(CodePoints.ofRanges(letter, letter, upper, upper));
            }
        }
        return folded;
    }

    private CodePoints member() {
        int start = text.offset();
        CodePoints first = single();
        if (!text.take('-')) {
            return first;
        }
        if (text.at(']')) {
            return first.or(CodePoints.of('-'));
        }
        CodePoints last = single();
        if (!first.isSingle() || !last.isSingle()) {
            // A class cannot bound a range: the hyphen stands for itself.
            return first.or(last).or(CodePoints.of('-'));
        }
        int low = first.first(0);
        int high = last.first(0);
        if (low > high) {
            throw GrammarException.syntax(start, "a range must be from a lower character on");
        }
        return CodePoints.range(low, high);
    }

    private CodePoints single() {
        if (text.at('&') || text.at('~')) {
            char operator = (char) text.next();
            if (text.at(operator)) {
                throw text.unsupported("a set operation " + operator + operator);
            }
            return CodePoints.of(operator);
        }
        int c = text.next();
        if (c == '\\') {
            return escape();
        }
        if (c == '[') {
            if (dialect != RegexDialect.ECMA) {
                if (text.take(':')) {
                    return posix();
                }
                throw text.unsupported("a class within a class");
            }
        }
        return CodePoints.of(c);
    }

    private CodePoints posix() {
        boolean isNegated = text.take('^');
        var name = new StringBuilder();
        while (!text.take(':')) {
            name.appendCodePoint(text.next());
        }
        CodePoints set = POSIX.get(name.toString());
        if (set == null || !text.take(']')) {
            throw text.syntax("unknown class [:" + name + ":]");
        }
        return isNegated ? set.not() : set;
    }

    /** After the backslash. */
    CodePoints escape() {
        int c = text.next();
        return switch (c) {
            case 'd' -> DIGIT;
            case 'D' -> DIGIT.not();
            case 'w' -> WORD;
            case 'W' -> WORD.not();
            case 's' -> dialect.spaces();
            case 'S' -> dialect.spaces().not();
            case 'p' -> UnicodeClasses.read(text, fuel);
            case 'P' -> UnicodeClasses.read(text, fuel).not();
            case 'n' -> CodePoints.of('\n');
            case 'r' -> CodePoints.of('\r');
            case 't' -> CodePoints.of('\t');
            case 'f' -> CodePoints.of('\f');
            case 'v' -> CodePoints.of(0x0B);
            case 'a' -> CodePoints.of(0x07);
            case 'b' -> CodePoints.of('\b');
            case '0' -> CodePoints.of(0);
            case 'c' -> CodePoints.of(text.next() & 0x1F);
            case 'x' -> scalar(text.at('{') ? braced() : text.hex(2, 2));
            case 'u' -> scalar(text.at('{') ? braced() : unit());
            case 'U' -> scalar(text.hex(8, 8));
            default -> {
                if (c < 0x80 && Character.isLetterOrDigit(c)) {
                    throw text.syntax("unknown escape \\" + (char) c);
                }
                yield CodePoints.of(c);
            }
        };
    }

    private int braced() {
        text.take('{');
        int value = text.hex(1, 6);
        if (!text.take('}')) {
            throw text.syntax("a code point in braces does not end");
        }
        return value;
    }

    /** Four digits, or two times four that spell a pair of surrogates. */
    private int unit() {
        int unit = text.hex(4, 4);
        if (unit < 0xD800 || unit > 0xDBFF) {
            return unit;
        }
        if (!text.take('\\') || !text.take('u')) {
            throw text.syntax("a surrogate without its pair");
        }
        int low = text.hex(4, 4);
        if (low < 0xDC00 || low > 0xDFFF) {
            throw text.syntax("a surrogate without its pair");
        }
        return Character.toCodePoint((char) unit, (char) low);
    }

    private CodePoints scalar(int codePoint) {
        boolean isSurrogate = codePoint >= 0xD800 && codePoint <= 0xDFFF;
        if (!Character.isValidCodePoint(codePoint) || isSurrogate) {
            throw text.syntax("no character has this code: " + Integer.toHexString(codePoint));
        }
        return CodePoints.of(codePoint);
    }
}
