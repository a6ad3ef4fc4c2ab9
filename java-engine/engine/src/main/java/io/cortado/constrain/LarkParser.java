package io.cortado.constrain;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Reads a grammar in the syntax of Lark with llguidance's additions: rules in small letters,
 * terminals in capitals, strings, {@code /regex/}, ranges, groups, {@code [optional]}, {@code ? * +
 * ~n..m {n,m}}, {@code &} and {@code ~} in terminals, {@code %ignore}, {@code %import common.NAME},
 * tokens {@code <name>} and {@code <[ids]>}, the attributes {@code lazy} and {@code suffix}.
 *
 * <p>Outputs are those of the context-free grammar over all ways to cut them into terminals:
 * priorities and aliases choose between parses and do not matter. Other directives, templates and
 * attributes are refused by name.
 */
final class LarkParser {
    private static final int MAX_DEPTH = 200;

    /** A rule or terminal with its attributes. */
    record Definition(LarkNode body, boolean isLazy, @Nullable LarkNode suffix, int offset) {}

    private final Regexes regexes;
    private final PatternText text;
    private final LarkTokens tokens;
    private final Map<String, Definition> definitions = new LinkedHashMap<>();
    private final List<LarkNode> ignored = new ArrayList<>();
    private int depth;

    private LarkParser(Regexes regexes, TokenTable vocabulary, String grammar) {
        this.regexes = regexes;
        text = new PatternText(grammar);
        tokens = new LarkTokens(regexes, vocabulary, text);
    }

    /** The outputs of the rule {@code start}. */
    static Syntax parse(Regexes regexes, TokenTable vocabulary, String grammar) {
        var parser = new LarkParser(regexes, vocabulary, grammar);
        parser.skipSpace(true);
        while (!parser.text.isAtEnd()) {
            if (parser.text.take('%')) {
                parser.directive();
            } else {
                parser.definition();
            }
            parser.endOfLine();
        }
        return new LarkRules(regexes, parser.definitions, parser.ignored).start();
    }

    private void endOfLine() {
        skipSpace(false);
        if (!text.isAtEnd() && !text.take('\n')) {
            throw text.syntax("unexpected " + Character.toString(text.peek()));
        }
        skipSpace(true);
    }

    private void directive() {
        int start = text.offset();
        String name = name();
        skipSpace(false);
        switch (name) {
            case "ignore" -> ignored.add(alternatives());
            case "import" -> imported();
            case "llguidance" -> {
                if (!text.take('{') || !text.take('}')) {
                    throw GrammarException.unsupported(
                            start, "options in %llguidance are not supported");
                }
            }
            default ->
                    throw GrammarException.unsupported(
                            start, "the directive %" + name + " is not supported");
        }
    }

    private void imported() {
        int start = text.offset();
        String module = name();
        if (!module.equals("common") || !text.take('.')) {
            throw GrammarException.unsupported(start, "only %import common.NAME is supported");
        }
        String name = name();
        String alias = name;
        skipSpace(false);
        if (text.take("->")) {
            skipSpace(false);
            alias = name();
        }
        String pattern = LarkTokens.COMMON.get(name);
        if (pattern == null) {
            throw GrammarException.unsupported(start, "common." + name + " is not supported");
        }
        Regex regex = RegexParser.whole(regexes, pattern, RegexDialect.COMMON, "");
        define(alias, new Definition(new LarkNode.Terminal(regex), false, null, start));
    }

    private void define(String name, Definition definition) {
        if (definitions.putIfAbsent(name, definition) != null) {
            throw GrammarException.syntax(definition.offset(), "defined twice: name=" + name);
        }
    }

    private void definition() {
        int start = text.offset();
        // Both only shape the tree that Lark makes.
        if (!text.take('?')) {
            text.take('!');
        }
        String name = name();
        if (text.at('{')) {
            throw text.unsupported("a template");
        }
        boolean isLazy = false;
        LarkNode suffix = null;
        if (text.take('[')) {
            do {
                skipSpace(false);
                String attribute = name();
                skipSpace(false);
                if (attribute.equals("lazy")) {
                    isLazy = true;
                } else if (attribute.equals("suffix") && text.take('=')) {
                    skipSpace(false);
                    suffix = atom();
                } else {
                    throw text.unsupported("the attribute " + attribute);
                }
                skipSpace(false);
            } while (text.take(','));
            if (!text.take(']')) {
                throw text.syntax("expected ] after attributes");
            }
        }
        if (text.take('.')) {
            tokens.number();
        }
        skipSpace(false);
        if (!text.take(':')) {
            throw text.syntax("expected : after the name " + name);
        }
        define(name, new Definition(alternatives(), isLazy, suffix, start));
    }

    private LarkNode alternatives() {
        if (++depth > MAX_DEPTH) {
            throw GrammarException.limit("nested groups", depth, MAX_DEPTH);
        }
        var options = new ArrayList<LarkNode>();
        skipSpace(depth > 1);
        if (!text.take('|')) {
            skipToBar();
            text.take('|');
        }
        options.add(intersection());
        while (text.take('|')) {
            options.add(intersection());
        }
        depth--;
        return options.size() == 1 ? options.getFirst() : new LarkNode.Choice(options);
    }

    private LarkNode intersection() {
        int start = text.offset();
        var parts = new ArrayList<LarkNode>();
        parts.add(sequence());
        while (text.take('&')) {
            parts.add(sequence());
        }
        if (text.take("->")) {
            skipSpace(false);
            name();
            skipToBar();
        }
        return parts.size() == 1 ? parts.getFirst() : new LarkNode.And(parts, start);
    }

    private LarkNode sequence() {
        var parts = new ArrayList<LarkNode>();
        skipToBar();
        while (!text.isAtEnd() && "|)]&\n-".indexOf(text.peek()) < 0) {
            parts.add(repeated());
            skipToBar();
        }
        return parts.size() == 1 ? parts.getFirst() : new LarkNode.Sequence(parts);
    }

    /** Skips space, and the end of a line where a group is open or a bar begins the next. */
    private void skipToBar() {
        skipSpace(depth > 1);
        int start = text.offset();
        skipSpace(true);
        if (!text.at('|')) {
            text.moveTo(start);
        }
    }

    private LarkNode repeated() {
        LarkNode atom = atom();
        while (true) {
            PatternText.Count count = tokens.count();
            if (count == null) {
                return atom;
            }
            atom = new LarkNode.Repeat(atom, count.min(), count.max());
        }
    }

    private LarkNode atom() {
        int start = text.offset();
        int c = text.peek();
        switch (c) {
            case '(' -> {
                text.next();
                return closed(alternatives(), ')');
            }
            case '[' -> {
                text.next();
                return new LarkNode.Repeat(closed(alternatives(), ']'), 0, 1);
            }
            case '~' -> {
                text.next();
                return new LarkNode.Not(atom(), start);
            }
            case '"', '/' -> {
                return new LarkNode.Terminal(tokens.terminal());
            }
            case '<' -> {
                return new LarkNode.Token(tokens.token());
            }
            case '%', '@' ->
                    throw text.unsupported(
                            c == '%' ? "%json or %regex in a rule" : "a sub-grammar");
            default -> {
                return new LarkNode.Name(name(), start);
            }
        }
    }

    private LarkNode closed(LarkNode inner, char bracket) {
        skipSpace(true);
        if (!text.take(bracket)) {
            throw text.syntax("expected " + bracket);
        }
        return inner;
    }

    private String name() {
        var name = new StringBuilder();
        while (text.peek() < 0x80
                && (Character.isLetterOrDigit(text.peek())
                        || text.at('_')
                        || text.at('-') && !name.isEmpty() && !text.startsWith("->"))) {
            name.appendCodePoint(text.next());
        }
        if (name.isEmpty()) {
            throw text.syntax("expected a name");
        }
        return name.toString();
    }

    private void skipSpace(boolean overLines) {
        while (true) {
            if (text.take(' ') || text.take('\t') || text.take('\r')) {
                continue;
            }
            if (text.at('#') || text.startsWith("//")) {
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
