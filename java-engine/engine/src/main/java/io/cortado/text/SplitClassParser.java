package io.cortado.text;

/** Parses what stands for one character in a split pattern: itself, an escape or a bracket. */
final class SplitClassParser extends SplitPatternReader {
    private static final int MAX_DEPTH = 32;

    private int depth;
    private boolean ignoreCase;

    SplitClassParser(String pattern) {
        super(pattern);
    }

    /** Where the last parse has ended. */
    int end() {
        return at;
    }

    /** The set that the character or escape at {@code start} stands for. */
    CodePointSet single(int start, boolean ignoringCase) {
        at = start;
        ignoreCase = ignoringCase;
        depth = 0;
        return folded(item());
    }

    /** The set of the bracket that opens at {@code start}. */
    CodePointSet bracket(int start, boolean ignoringCase) {
        at = start;
        ignoreCase = ignoringCase;
        depth = 0;
        return bracket();
    }

    private CodePointSet bracket() {
        if (++depth > MAX_DEPTH) {
            throw malformed("brackets that nest deeper than " + MAX_DEPTH);
        }
        at++;
        boolean negated = take("^");
        CodePointSet left = null;
        CodePointSet set = CodePointSet.NONE;
        boolean isFirst = true;
        while (isFirst || !pattern.startsWith("]", at)) {
            if (at >= pattern.length()) {
                throw malformed("a bracket without its end");
            }
            if (take("&&")) {
                left = left == null ? set : left.intersect(set);
                set = CodePointSet.NONE;
            } else {
                set = set.union(member());
            }
            isFirst = false;
        }
        at++;
        depth--;
        CodePointSet whole = left == null ? set : left.intersect(set);
        return negated ? whole.complement() : whole;
    }

    private CodePointSet member() {
        if (pattern.startsWith("[:", at)) {
            int end = pattern.indexOf(":]", at);
            if (end > 0) {
                String name = pattern.substring(at + 2, end);
                boolean negated = name.startsWith("^");
                at = end + 2;
                return property(negated ? name.substring(1) : name, negated);
            }
        }
        if (pattern.charAt(at) == '[') {
            return bracket();
        }
        CodePointSet first = item();
        boolean isRange =
                pattern.startsWith("-", at)
                        && at + 1 < pattern.length()
                        && pattern.charAt(at + 1) != ']'
                        && pattern.charAt(at + 1) != '['
                        && isOne(first);
        if (!isRange) {
            return folded(first);
        }
        at++;
        CodePointSet last = item();
        if (!isOne(last) || last.bounds()[0] < first.bounds()[0]) {
            throw malformed("a range whose ends are not two characters in order");
        }
        return folded(CodePointSet.range(first.bounds()[0], last.bounds()[0]));
    }

    private static boolean isOne(CodePointSet set) {
        return set.bounds().length == 2 && set.bounds()[1] == set.bounds()[0] + 1;
    }

    private CodePointSet folded(CodePointSet set) {
        return ignoreCase ? UnicodeSets.ignoringCase(set) : set;
    }

    private CodePointSet item() {
        int c = pattern.codePointAt(at);
        at += Character.charCount(c);
        if (c != '\\') {
            return CodePointSet.of(c);
        }
        if (at >= pattern.length()) {
            throw malformed("a backslash at its end");
        }
        int escape = pattern.codePointAt(at);
        at += Character.charCount(escape);
        return switch (escape) {
            case 's' -> UnicodeSets.SPACE;
            case 'S' -> UnicodeSets.SPACE.complement();
            case 'd' -> UnicodeSets.DIGIT;
            case 'D' -> UnicodeSets.DIGIT.complement();
            case 'w' -> word();
            case 'W' -> word().complement();
            case 'h' -> property("xdigit", false);
            case 'H' -> property("xdigit", true);
            case 'p', 'P' -> braced(escape == 'P');
            case 'n' -> CodePointSet.of('\n');
            case 'r' -> CodePointSet.of('\r');
            case 't' -> CodePointSet.of('\t');
            case 'f' -> CodePointSet.of('\f');
            case 'v' -> CodePointSet.of(0x0B);
            case 'a' -> CodePointSet.of(0x07);
            case 'e' -> CodePointSet.of(0x1B);
            case 'b' -> CodePointSet.of('\b');
            case 'x' -> take("{") ? hex(8, "}") : hex(2, "");
            case 'u' -> hex(4, "");
            case '0' -> CodePointSet.of(0);
            default -> literal(escape);
        };
    }

    private CodePointSet literal(int escape) {
        if (escape < 0x80 && Character.isLetterOrDigit(escape)) {
            throw new UnsupportedTokenizerException(
                    "split pattern not supported: it has an escape \\"
                            + (char) escape
                            + ": position="
                            + at
                            + " pattern="
                            + TokenizerFile.clip(pattern));
        }
        return CodePointSet.of(escape);
    }

    private CodePointSet braced(boolean negated) {
        int end = pattern.indexOf('}', at);
        if (!pattern.startsWith("{", at) || end < 0) {
            throw malformed("a \\p without its {name}");
        }
        String name = pattern.substring(at + 1, end);
        at = end + 1;
        boolean inverted = name.startsWith("^");
        return property(inverted ? name.substring(1) : name, negated != inverted);
    }

    /** Oniguruma knows fewer word characters in brackets than outside. */
    private CodePointSet word() {
        return depth > 0 ? UnicodeSets.WORD_IN_BRACKETS : UnicodeSets.WORD;
    }

    private CodePointSet property(String name, boolean negated) {
        CodePointSet set = name.equalsIgnoreCase("word") ? word() : UnicodeSets.named(name);
        if (set == null) {
            throw new UnsupportedTokenizerException(
                    "split pattern not supported: it has an unknown character class: name="
                            + TokenizerFile.clip(name)
                            + " pattern="
                            + TokenizerFile.clip(pattern));
        }
        return negated ? set.complement() : set;
    }

    private CodePointSet hex(int most, String terminator) {
        int start = at;
        while (at < pattern.length()
                && at - start < most
                && Character.digit(pattern.charAt(at), 16) >= 0) {
            at++;
        }
        long code = at == start ? -1 : Long.parseLong(pattern.substring(start, at), 16);
        if (code < 0 || code > Character.MAX_CODE_POINT || !take(terminator)) {
            throw malformed("a hexadecimal escape that is no code point");
        }
        return CodePointSet.of((int) code);
    }
}
