package io.cortado.constrain;

import io.cortado.constrain.Syntax.Lexeme;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

/** The macros of xgrammar's EBNF that are built. */
final class GbnfMacros {
    private static final String PLAIN_CHARS = "[^\"\\\\\\x00-\\x1F]*";

    private final Regexes regexes;
    private final PatternText text;
    private final Supplier<String> strings;

    /**
     * @param strings reads a string where the text stands
     */
    GbnfMacros(Regexes regexes, PatternText text, Supplier<String> strings) {
        this.regexes = regexes;
        this.text = text;
        this.strings = strings;
    }

    /** After a macro's name, at its bracket. */
    Syntax read(String name, int start) {
        if (!name.equals("Regex") && !name.equals("Substring")) {
            throw GrammarException.unsupported(start, "the macro " + name + " is not supported");
        }
        List<String> values = new ArrayList<>();
        Map<String, String> options = new LinkedHashMap<>();
        arguments(values, options);
        return new Lexeme(name.equals("Regex") ? regex(values, options, start) : substring(values));
    }

    private void arguments(List<String> values, Map<String, String> options) {
        text.take('(');
        skipSpace();
        while (!text.take(')')) {
            if (text.at('"')) {
                values.add(strings.get());
            } else {
                String name = word();
                skipSpace();
                if (!text.take('=')) {
                    throw text.syntax("expected = after the name of an argument");
                }
                skipSpace();
                options.put(name, text.at('"') ? strings.get() : word());
            }
            skipSpace();
            if (!text.take(',') && !text.at(')')) {
                throw text.syntax("expected , or ) after an argument");
            }
            skipSpace();
        }
    }

    private String word() {
        var word = new StringBuilder();
        while (text.peek() < 0x80 && (Character.isLetterOrDigit(text.peek()) || text.at('_'))) {
            word.appendCodePoint(text.next());
        }
        if (word.isEmpty()) {
            throw text.syntax("expected an argument");
        }
        return word.toString();
    }

    private void skipSpace() {
        while (text.take(' ') || text.take('\t') || text.take('\r') || text.take('\n')) {
            // Each take has moved on.
        }
    }

    /** A dot is any character unless flags say otherwise. */
    private Regex regex(List<String> values, Map<String, String> options, int start) {
        if (values.size() != 1) {
            throw GrammarException.syntax(start, "Regex takes one pattern");
        }
        String flags = options.getOrDefault("flags", "s");
        String inJson = options.getOrDefault("json_string", "false");
        for (String option : options.keySet()) {
            if (!option.equals("flags") && !option.equals("json_string")) {
                throw GrammarException.unsupported(
                        start, "the argument " + option + " of Regex is not supported");
            }
        }
        Regex regex = RegexParser.whole(regexes, values.getFirst(), RegexDialect.COMMON, flags);
        return inJson.equals("true")
                ? regexes.and(
                        regex, RegexParser.whole(regexes, PLAIN_CHARS, RegexDialect.COMMON, ""))
                : regex;
    }

    /** The chunks from any one to any later one, joined; or none. */
    private Regex substring(List<String> chunks) {
        var starts = new ArrayList<Regex>();
        Regex rest = Regex.EMPTY;
        for (int i = chunks.size() - 1; i >= 0; i--) {
            rest = regexes.optional(regexes.concat(regexes.literal(chunks.get(i)), rest));
            starts.add(rest);
        }
        return regexes.optional(regexes.or(starts));
    }
}
