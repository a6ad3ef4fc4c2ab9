package io.cortado.constrain;

import io.cortado.constrain.Syntax.Choice;
import io.cortado.constrain.Syntax.Lexeme;
import io.cortado.constrain.Syntax.Repeat;
import io.cortado.constrain.Syntax.Rule;
import io.cortado.constrain.Syntax.Sequence;
import io.cortado.constrain.Syntax.Tokens;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/**
 * Reads a grammar in llama.cpp's dialect of EBNF (GBNF): {@code name ::= alternatives}, literals,
 * character classes, groups, {@code * + ? {n,m}}, tokens {@code <[id]>} and {@code <name>}, negated
 * by an exclamation mark. Of xgrammar's additions: {@code Regex("...", flags="is",
 * json_string=true)}, {@code Substring("...", ...)} and {@code rule[lazy]}; its other macros are
 * refused by name.
 */
final class GbnfParser {
    private static final int MAX_DEPTH = 200;

    private final Regexes regexes;
    private final TokenTable vocabulary;
    private final PatternText text;
    private final ClassParser classes;
    private final Map<String, Rule> rules = new LinkedHashMap<>();
    private final List<Rule> lazyRules = new ArrayList<>();
    private int depth;

    private GbnfParser(Regexes regexes, TokenTable vocabulary, String grammar) {
        this.regexes = regexes;
        this.vocabulary = vocabulary;
        text = new PatternText(grammar);
        classes = new ClassParser(text, RegexDialect.ECMA, regexes.fuel());
    }

    /**
     * @param root the rule that an output is of
     */
    static Syntax parse(Regexes regexes, TokenTable vocabulary, String grammar, String root) {
        var parser = new GbnfParser(regexes, vocabulary, grammar);
        parser.skipSpace(true);
        while (!parser.text.isAtEnd()) {
            parser.rule();
        }
        for (Rule rule : parser.rules.values()) {
            if (!rule.isDefined()) {
                throw new GrammarException(
                        GrammarException.Reason.SYNTAX,
                        "",
                        "a rule is used and not defined: rule=" + rule.name());
            }
        }
        Rule start = parser.rules.get(root);
        if (start == null) {
            throw new GrammarException(
                    GrammarException.Reason.SYNTAX, "", "there is no rule " + root);
        }
        return new RegularRules(regexes, parser.lazyRules).folded(start, parser.rules.values());
    }

    private void rule() {
        int start = text.offset();
        String name = name();
        if (text.take('[')) {
            String attribute = name();
            if (!attribute.equals("lazy") || !text.take(']')) {
                throw text.unsupported("the attribute [" + attribute + "] of a rule");
            }
            lazyRules.add(named(name));
        }
        skipSpace(true);
        if (!text.take("::=")) {
            throw text.syntax("expected ::= after the name of a rule");
        }
        skipSpace(true);
        Rule rule = named(name);
        if (rule.isDefined()) {
            throw GrammarException.syntax(start, "a rule is defined twice: rule=" + name);
        }
        rule.define(alternatives(false));
        if (!text.isAtEnd() && !text.take('\n')) {
            throw text.syntax("unexpected " + Character.toString(text.peek()));
        }
        skipSpace(true);
    }

    private Rule named(String name) {
        return rules.computeIfAbsent(name, Rule::new);
    }

    /**
     * @param isNested whether a bracket is open, so that lines go on
     */
    private Syntax alternatives(boolean isNested) {
        if (++depth > MAX_DEPTH) {
            throw GrammarException.limit("nested groups", depth, MAX_DEPTH);
        }
        var options = new ArrayList<Syntax>();
        options.add(sequence(isNested));
        while (text.take('|')) {
            skipSpace(true);
            options.add(sequence(isNested));
        }
        depth--;
        return options.size() == 1 ? options.getFirst() : new Choice(options);
    }

    private Syntax sequence(boolean isNested) {
        var parts = new ArrayList<Syntax>();
        skipSpace(isNested);
        while (!text.isAtEnd() && !text.at('|') && !text.at(')') && !text.at('\n')) {
            Syntax part = element();
            // Quantifiers may follow one another; each repeats what stands before it.
            for (PatternText.Count count = count(); count != null; count = count()) {
                part = new Repeat(part, count.min(), count.max());
            }
            parts.add(part);
            skipSpace(isNested);
            if (!isNested && text.at('\n') && continues()) {
                skipSpace(true);
            }
        }
        return parts.size() == 1 ? parts.getFirst() : new Sequence(parts);
    }

    private PatternText.@Nullable Count count() {
        int start = text.offset();
        skipSpace(false);
        PatternText.Count count = text.count();
        if (count == null) {
            text.moveTo(start);
        }
        return count;
    }

    /** Whether the next line that is not empty begins with a bar. */
    private boolean continues() {
        int start = text.offset();
        skipSpace(true);
        boolean isBar = text.at('|');
        text.moveTo(start);
        return isBar;
    }

    private Syntax element() {
        int c = text.peek();
        switch (c) {
            case '"' -> {
                return new Lexeme(regexes.literal(string()));
            }
            case '[' -> {
                text.next();
                return new Lexeme(regexes.codePoints(classes.bracket(false)));
            }
            case '.' -> {
                text.next();
                return new Lexeme(regexes.codePoints(CodePoints.ANY));
            }
            case '(' -> {
                text.next();
                if (text.at('=')) {
                    throw text.unsupported("a look-ahead (=...)");
                }
                skipSpace(true);
                Syntax inner = alternatives(true);
                if (!text.take(')')) {
                    throw text.syntax("a group that does not end");
                }
                return inner;
            }
            case '<' -> {
                return new Tokens(TokenSet.of(token()));
            }
            case '!' -> {
                text.next();
                return new Tokens(TokenSet.allBut(token()));
            }
            default -> {
                int start = text.offset();
                String name = name();
                if (!text.at('(')) {
                    return named(name);
                }
                return new GbnfMacros(regexes, text, this::string).read(name, start);
            }
        }
    }

    private int token() {
        if (!text.take('<')) {
            throw text.syntax("expected a token <...>");
        }
        int start = text.offset();
        if (text.take('[')) {
            var digits = new StringBuilder();
            while (!text.take(']')) {
                digits.appendCodePoint(text.next());
            }
            if (!text.take('>') || !digits.toString().matches("[0-9]{1,9}")) {
                throw text.syntax("a token must be <[id]> or <name>");
            }
            int id = Integer.parseInt(digits.toString());
            if (id >= vocabulary.size()) {
                throw GrammarException.syntax(
                        start,
                        "the vocabulary has no such token: id="
                                + id
                                + " vocabularySize="
                                + vocabulary.size());
            }
            return id;
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
        return id.getAsInt();
    }

    private String name() {
        var name = new StringBuilder();
        while (text.peek() < 0x80
                && (Character.isLetterOrDigit(text.peek())
                        || text.at('-')
                        || text.at('_')
                        || text.at('.') && !name.isEmpty())) {
            name.appendCodePoint(text.next());
        }
        if (name.isEmpty()) {
            throw text.syntax("expected a name");
        }
        return name.toString();
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
        return content.toString();
    }

    private void skipSpace(boolean overLines) {
        while (true) {
            if (text.take(' ') || text.take('\t') || text.take('\r')) {
                continue;
            }
            if (text.at('#')) {
                while (!text.isAtEnd() && !text.at('\n')) {
                    text.next();
                }
                continue;
            }
            if (!overLines || !text.take('\n')) {
                return;
            }
        }
    }
}
