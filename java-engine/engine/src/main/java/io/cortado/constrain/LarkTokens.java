package io.cortado.constrain;

import java.util.ArrayList;
import java.util.Map;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/** The smallest parts of a Lark grammar: strings, patterns, counts, tokens by id or name. */
final class LarkTokens {
    /** The terminals of Lark's library that grammars import, as patterns. */
    static final Map<String, String> COMMON =
            Map.ofEntries(
                    Map.entry("DIGIT", "[0-9]"),
                    Map.entry("HEXDIGIT", "[a-fA-F0-9]"),
                    Map.entry("INT", "[0-9]+"),
                    Map.entry("SIGNED_INT", "[+-]?[0-9]+"),
                    Map.entry("DECIMAL", "[0-9]+\\.[0-9]*|\\.[0-9]+"),
                    Map.entry(
                            "FLOAT",
                            "[0-9]+[eE][+-]?[0-9]+|([0-9]+\\.[0-9]*|\\.[0-9]+)([eE][+-]?[0-9]+)?"),
                    Map.entry(
                            "NUMBER",
                            "[0-9]+([eE][+-]?[0-9]+)?|([0-9]+\\.[0-9]*|\\.[0-9]+)([eE][+-]?[0-9]+)?"),
                    Map.entry(
                            "SIGNED_NUMBER",
                            "[+-]?([0-9]+([eE][+-]?[0-9]+)?|([0-9]+\\.[0-9]*|\\.[0-9]+)([eE][+-]?[0-9]+)?)"),
                    Map.entry("ESCAPED_STRING", "\"([^\"\\\\\\n]|\\\\[^\\n])*\""),
                    Map.entry("LCASE_LETTER", "[a-z]"),
                    Map.entry("UCASE_LETTER", "[A-Z]"),
                    Map.entry("LETTER", "[a-zA-Z]"),
                    Map.entry("WORD", "[a-zA-Z]+"),
                    Map.entry("CNAME", "[a-zA-Z_][a-zA-Z0-9_]*"),
                    Map.entry("WS_INLINE", "[ \\t]+"),
                    Map.entry("WS", "[ \\t\\f\\r\\n]+"),
                    Map.entry("CR", "\\r"),
                    Map.entry("LF", "\\n"),
                    Map.entry("NEWLINE", "(\\r?\\n)+"));

    private final Regexes regexes;
    private final TokenTable vocabulary;
    private final PatternText text;
    private final ClassParser classes;

    LarkTokens(Regexes regexes, TokenTable vocabulary, PatternText text) {
        this.regexes = regexes;
        this.vocabulary = vocabulary;
        this.text = text;
        classes = new ClassParser(text, RegexDialect.COMMON, regexes.fuel());
    }

    /** A string, a range of two strings, or a pattern between slashes. */
    Regex terminal() {
        if (text.take('/')) {
            String pattern = pattern();
            return RegexParser.whole(regexes, pattern, RegexDialect.COMMON, flags());
        }
        String first = string();
        if (text.take("..")) {
            return range(first, string());
        }
        boolean foldsCase = text.take('i');
        var parts = new ArrayList<Regex>();
        first.codePoints()
                .mapToObj(CodePoints::of)
                .map(set -> regexes.codePoints(foldsCase ? ClassParser.folded(set) : set))
                .forEach(parts::add);
        return regexes.concat(parts);
    }

    private Regex range(String first, String last) {
        int low = first.codePointAt(0);
        int high = last.codePointAt(0);
        if (first.length() != Character.charCount(low)
                || last.length() != Character.charCount(high)
                || low > high) {
            throw text.syntax("a range must be from one character to a later one");
        }
        return regexes.codePoints(CodePoints.range(low, high));
    }

    private String pattern() {
        var pattern = new StringBuilder();
        while (!text.take('/')) {
            int c = text.next();
            if (c == '\\' && text.take('/')) {
                pattern.append('/');
                continue;
            }
            pattern.appendCodePoint(c);
            if (c == '\\') {
                pattern.appendCodePoint(text.next());
            }
        }
        return pattern.toString();
    }

    private String flags() {
        var flags = new StringBuilder();
        while (text.peek() >= 'a' && text.peek() <= 'z') {
            flags.appendCodePoint(text.next());
        }
        return flags.toString();
    }

    private String string() {
        if (!text.take('"')) {
            throw text.syntax("expected a string");
        }
        var content = new StringBuilder();
        while (!text.take('"')) {
            int c = text.next();
            if (c != '\\') {
                content.appendCodePoint(c);
                continue;
            }
            CodePoints escaped = classes.escape();
            if (!escaped.isSingle()) {
                throw text.syntax("a string takes no character class");
            }
            content.appendCodePoint(escaped.first(0));
        }
        if (content.isEmpty() && text.startsWith("..")) {
            throw text.syntax("a range must be of characters");
        }
        return content.toString();
    }

    /** A quantifier, or null: {@code ? * + {n,m} ~n ~n..m}. */
    PatternText.@Nullable Count count() {
        if (text.take('~')) {
            int min = number();
            int max = min;
            if (text.take("..")) {
                max = number();
            }
            if (max < min) {
                throw text.syntax("a quantifier must have min <= max");
            }
            return new PatternText.Count(min, max);
        }
        if (text.take("{,")) {
            int max = number();
            if (!text.take('}')) {
                throw text.syntax("expected }");
            }
            return new PatternText.Count(0, max);
        }
        return text.count();
    }

    int number() {
        var digits = new StringBuilder();
        while (text.peek() >= '0' && text.peek() <= '9') {
            digits.appendCodePoint(text.next());
        }
        if (digits.isEmpty() || digits.length() > 9) {
            throw text.syntax("expected a number of at most 9 digits");
        }
        return Integer.parseInt(digits.toString());
    }

    /** {@code <name>}, or {@code <[1,5-7]>}, {@code <[^1]>}, {@code <[*]>}. */
    TokenSet token() {
        int start = text.offset();
        text.take('<');
        if (text.take('[')) {
            return ids(start);
        }
        var name = new StringBuilder("<");
        while (!text.at('>')) {
            name.appendCodePoint(text.next());
        }
        name.appendCodePoint(text.next());
        OptionalInt id = vocabulary.control(name.toString());
        if (id.isEmpty()) {
            throw GrammarException.syntax(start, "the vocabulary has no control token " + name);
        }
        return TokenSet.of(id.getAsInt());
    }

    private TokenSet ids(int start) {
        boolean isNegated = text.take('^');
        var ids = new ArrayList<Integer>();
        if (!isNegated && text.take('*')) {
            isNegated = true;
        } else {
            do {
                int first = number();
                int last = text.take('-') ? number() : first;
                if (last >= vocabulary.size() || first > last) {
                    throw GrammarException.syntax(
                            start,
                            "token ids must be below the vocabulary's size: last="
                                    + last
                                    + " vocabularySize="
                                    + vocabulary.size());
                }
                for (int id = first; id <= last; id++) {
                    ids.add(id);
                }
            } while (text.take(','));
        }
        if (!text.take(']') || !text.take('>')) {
            throw text.syntax("expected ]> after token ids");
        }
        int[] array = ids.stream().mapToInt(Integer::intValue).toArray();
        return isNegated ? TokenSet.allBut(array) : TokenSet.of(array);
    }
}
