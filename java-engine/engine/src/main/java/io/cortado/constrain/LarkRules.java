package io.cortado.constrain;

import io.cortado.constrain.Syntax.Choice;
import io.cortado.constrain.Syntax.Lexeme;
import io.cortado.constrain.Syntax.Repeat;
import io.cortado.constrain.Syntax.Rule;
import io.cortado.constrain.Syntax.Sequence;
import io.cortado.constrain.Syntax.Tokens;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Makes a grammar of Lark's definitions: each terminal a lexeme, each rule a rule. */
final class LarkRules {
    private static final int MAX_DEPTH = 500;

    private final Regexes regexes;
    private final Map<String, LarkParser.Definition> definitions;
    private final Map<String, Regex> terminals = new HashMap<>();
    private final Map<String, Rule> rules = new LinkedHashMap<>();
    private final Set<String> open = new HashSet<>();
    private final Syntax ignored;

    LarkRules(
            Regexes regexes,
            Map<String, LarkParser.Definition> definitions,
            List<LarkNode> ignored) {
        this.regexes = regexes;
        this.definitions = definitions;
        var skipped = new ArrayList<Regex>();
        for (LarkNode node : ignored) {
            skipped.add(regex(node));
        }
        this.ignored = new Lexeme(regexes.star(regexes.or(skipped)));
    }

    Syntax start() {
        Rule start = new Rule("start");
        if (!definitions.containsKey("start")) {
            throw new GrammarException(
                    GrammarException.Reason.SYNTAX, "", "there is no rule start");
        }
        rules.put("start", start);
        definitions.forEach((name, definition) -> {
            if (!LarkNode.Name.isTerminal(name)) {
                rules.putIfAbsent(name, new Rule(name));
            }
        });
        definitions.forEach((name, definition) -> {
            Rule rule = rules.get(name);
            if (rule != null) {
                rule.define(body(definition));
            }
        });
        return new Sequence(List.of(ignored, start));
    }

    private Syntax body(LarkParser.Definition definition) {
        return definition.isLazy() || definition.suffix() != null
                ? lexeme(attributed(definition))
                : syntax(definition.body());
    }

    /** A terminal, and what is ignored after it. */
    private Syntax lexeme(Regex regex) {
        return new Sequence(List.of(new Lexeme(regex), ignored));
    }

    private Regex attributed(LarkParser.Definition definition) {
        Regex regex = regex(definition.body());
        LarkNode suffix = definition.suffix();
        Regex whole = suffix == null ? regex : regexes.concat(regex, regex(suffix));
        return definition.isLazy() || suffix != null ? regexes.shortest(whole) : whole;
    }

    private Syntax syntax(LarkNode node) {
        return switch (node) {
            case LarkNode.Terminal(Regex regex) -> lexeme(regex);
            case LarkNode.Token(TokenSet set) -> new Sequence(List.of(new Tokens(set), ignored));
            case LarkNode.Name name -> {
                if (name.isTerminal()) {
                    yield lexeme(named(name));
                }
                Rule rule = rules.get(name.name());
                if (rule == null) {
                    throw undefined(name);
                }
                yield rule;
            }
            case LarkNode.Sequence(var parts) ->
                    new Sequence(parts.stream().map(this::syntax).toList());
            case LarkNode.Choice(var options) ->
                    new Choice(options.stream().map(this::syntax).toList());
            case LarkNode.Repeat(LarkNode body, int min, int max) ->
                    new Repeat(syntax(body), min, max);
            case LarkNode.And and -> lexeme(regex(and));
            case LarkNode.Not not -> lexeme(regex(not));
        };
    }

    private static GrammarException undefined(LarkNode.Name name) {
        return GrammarException.syntax(name.offset(), "not defined: name=" + name.name());
    }

    private Regex regex(LarkNode node) {
        return switch (node) {
            case LarkNode.Terminal(Regex regex) -> regex;
            case LarkNode.Token token ->
                    throw new GrammarException(
                            GrammarException.Reason.UNSUPPORTED,
                            "",
                            "a token <...> within a terminal is not supported");
            case LarkNode.Name name -> named(name);
            case LarkNode.Sequence(var parts) -> regexes.concat(all(parts));
            case LarkNode.Choice(var options) -> regexes.or(all(options));
            case LarkNode.Repeat(LarkNode body, int min, int max) ->
                    regexes.repeat(regex(body), min, max);
            case LarkNode.And(var parts, int offset) -> regexes.and(all(parts));
            case LarkNode.Not(LarkNode inner, int offset) -> regexes.textExcept(regex(inner));
        };
    }

    private List<Regex> all(List<LarkNode> nodes) {
        var all = new ArrayList<Regex>(nodes.size());
        for (LarkNode node : nodes) {
            all.add(regex(node));
        }
        return all;
    }

    private Regex named(LarkNode.Name name) {
        Regex known = terminals.get(name.name());
        if (known != null) {
            return known;
        }
        LarkParser.Definition definition = definitions.get(name.name());
        if (definition == null) {
            throw undefined(name);
        }
        if (!name.isTerminal() && !definition.isLazy() && definition.suffix() == null) {
            throw GrammarException.unsupported(
                    name.offset(),
                    "the rule " + name.name() + " within a terminal is not supported");
        }
        if (!open.add(name.name())) {
            throw GrammarException.syntax(
                    name.offset(), "a terminal must not refer to itself: name=" + name.name());
        }
        if (open.size() > MAX_DEPTH) {
            throw GrammarException.limit("nested terminals", open.size(), MAX_DEPTH);
        }
        Regex regex = attributed(definition);
        open.remove(name.name());
        terminals.put(name.name(), regex);
        return regex;
    }
}
