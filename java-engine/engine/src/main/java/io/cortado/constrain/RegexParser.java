package io.cortado.constrain;

import java.util.ArrayList;
import java.util.List;

/**
 * Reads a pattern of the common subset of ECMA-262, Python, Rust and Java: literals, classes,
 * groups, alternatives, counted repetitions (lazy ones match the same texts), anchors, the flags i
 * and s. What is not regular or not built is refused by its name.
 */
final class RegexParser {
    private static final int MAX_DEPTH = 200;

    private final Regexes regexes;
    private final Alphabet alphabet;
    private final RegexDialect dialect;
    private final PatternText text;
    private final ClassParser classes;
    private boolean foldsCase;
    private boolean dotIsAll;
    private int depth;

    private RegexParser(Regexes regexes, Alphabet alphabet, String pattern, RegexDialect dialect) {
        this.regexes = regexes;
        this.alphabet = alphabet;
        this.dialect = dialect;
        text = new PatternText(pattern);
        classes = new ClassParser(text, dialect, regexes.fuel());
    }

    /**
     * The texts that the pattern matches as a whole.
     *
     * @param flags of the letters i (fold ASCII case) and s (a dot is any character)
     */
    static Regex whole(Regexes regexes, String pattern, RegexDialect dialect, String flags) {
        Alphabet alphabet = Alphabet.utf8(regexes);
        return new Pattern.Languages(regexes, alphabet)
                .whole(parse(regexes, alphabet, pattern, dialect, flags));
    }

    /**
     * The texts in which the pattern matches somewhere.
     *
     * @param alphabet how the texts are spelled
     */
    static Regex anywhere(
            Regexes regexes, Alphabet alphabet, String pattern, RegexDialect dialect) {
        return new Pattern.Languages(regexes, alphabet)
                .anywhere(parse(regexes, alphabet, pattern, dialect, ""));
    }

    private static Pattern parse(
            Regexes regexes,
            Alphabet alphabet,
            String pattern,
            RegexDialect dialect,
            String flags) {
        var parser = new RegexParser(regexes, alphabet, pattern, dialect);
        for (int i = 0; i < flags.length(); i++) {
            parser.setFlag(flags.charAt(i), true);
        }
        Pattern parsed = parser.alternatives();
        if (!parser.text.isAtEnd()) {
            throw parser.text.syntax("unmatched )");
        }
        return parsed;
    }

    private Pattern alternatives() {
        if (++depth > MAX_DEPTH) {
            throw GrammarException.limit("nested groups", depth, MAX_DEPTH);
        }
        var options = new ArrayList<Pattern>();
        options.add(sequence());
        while (text.take('|')) {
            options.add(sequence());
        }
        depth--;
        if (options.stream().allMatch(option -> option instanceof Pattern.Plain)) {
            return new Pattern.Plain(regexes.or(plain(options)));
        }
        return options.size() == 1 ? options.getFirst() : new Pattern.Choice(options);
    }

    private static List<Regex> plain(List<Pattern> parts) {
        var plain = new ArrayList<Regex>(parts.size());
        for (Pattern part : parts) {
            if (part instanceof Pattern.Plain(Regex regex)) {
                plain.add(regex);
            }
        }
        return plain;
    }

    private Pattern sequence() {
        var parts = new ArrayList<Pattern>();
        while (!text.isAtEnd() && !text.at('|') && !text.at(')')) {
            parts.add(repeated());
        }
        if (parts.stream().allMatch(part -> part instanceof Pattern.Plain)) {
            return new Pattern.Plain(regexes.concat(plain(parts)));
        }
        return new Pattern.Sequence(parts);
    }

    private Pattern repeated() {
        int start = text.offset();
        Pattern atom = atom();
        PatternText.Count count = text.count();
        if (count == null) {
            return atom;
        }
        if (text.take('+')) {
            throw text.unsupported("a possessive quantifier");
        }
        text.take('?');
        if (text.count() != null) {
            throw text.syntax("a quantifier after a quantifier");
        }
        if (atom instanceof Pattern.Plain(Regex regex)) {
            return new Pattern.Plain(regexes.repeat(regex, count.min(), count.max()));
        }
        if (count.max() == 1) {
            Pattern none = new Pattern.Plain(Regex.EMPTY);
            return count.min() == 1 ? atom : new Pattern.Choice(List.of(atom, none));
        }
        throw GrammarException.unsupported(start, "an anchor within a repetition");
    }

    private Pattern atom() {
        if (text.count() != null) {
            throw text.syntax("a quantifier without anything before it");
        }
        int c = text.next();
        return switch (c) {
            case '(' -> group();
            case '[' -> one(classes.bracket(foldsCase));
            case '.' -> set(dotIsAll ? CodePoints.ANY : dialect.lineEnds().not());
            case '^' -> new Pattern.Start();
            case '$' -> new Pattern.End();
            case '\\' -> escape();
            default -> set(CodePoints.of(c));
        };
    }

    private Pattern escape() {
        if (text.isAtEnd()) {
            throw text.syntax("a backslash at the end");
        }
        switch (text.peek()) {
            case 'b', 'B' -> throw text.unsupported("a word boundary");
            case '1', '2', '3', '4', '5', '6', '7', '8', '9', 'k' ->
                    throw text.unsupported("a back-reference");
            case 'A' -> {
                text.next();
                return new Pattern.Start();
            }
            case 'z', 'Z' -> {
                text.next();
                return new Pattern.End();
            }
            default -> {
                return set(classes.escape());
            }
        }
    }

    private Pattern set(CodePoints set) {
        return one(foldsCase ? ClassParser.folded(set) : set);
    }

    private Pattern one(CodePoints set) {
        return new Pattern.Plain(alphabet.letter(set));
    }

    private Pattern group() {
        boolean outerFolds = foldsCase;
        boolean outerDot = dotIsAll;
        if (text.take('?')) {
            if (prefix()) {
                // Flags up to the end of the enclosing group: that group restores them.
                return new Pattern.Plain(Regex.EMPTY);
            }
        } else if (text.at('*')) {
            throw text.unsupported("a verb (*...)");
        }
        Pattern inner = alternatives();
        if (!text.take(')')) {
            throw text.syntax("a group that does not end");
        }
        foldsCase = outerFolds;
        dotIsAll = outerDot;
        return inner;
    }

    /** What stands after {@code (?}; true if it was flags alone, the bracket included. */
    private boolean prefix() {
        int c = text.next();
        switch (c) {
            case ':' -> {
                return false;
            }
            case '=', '!' -> throw text.unsupported("look-ahead");
            case '>' -> throw text.unsupported("an atomic group");
            case '#' -> throw text.unsupported("a comment");
            case '<', 'P' -> {
                if (c == '<' && (text.at('=') || text.at('!'))) {
                    throw text.unsupported("look-behind");
                }
                if (c == 'P' && !text.take('<')) {
                    throw text.unsupported("a reference to a named group");
                }
                while (!text.take('>')) {
                    if (!Character.isUnicodeIdentifierPart(text.next())) {
                        throw text.syntax("a name of a group must be an identifier");
                    }
                }
                return false;
            }
            default -> {
                return flags(c);
            }
        }
    }

    private boolean flags(int first) {
        boolean isOn = true;
        for (int c = first; ; c = text.next()) {
            switch (c) {
                case '-' -> isOn = false;
                case ':' -> {
                    return false;
                }
                case ')' -> {
                    return true;
                }
                default -> setFlag(c, isOn);
            }
        }
    }

    private void setFlag(int flag, boolean isOn) {
        switch (flag) {
            case 'i' -> foldsCase = isOn;
            case 's' -> dotIsAll = isOn;
            case 'u' -> {}
            default -> throw text.unsupported("the flag " + Character.toString(flag));
        }
    }
}
