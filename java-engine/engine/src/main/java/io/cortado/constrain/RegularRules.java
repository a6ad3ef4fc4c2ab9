package io.cortado.constrain;

import io.cortado.constrain.Syntax.Choice;
import io.cortado.constrain.Syntax.Lexeme;
import io.cortado.constrain.Syntax.Repeat;
import io.cortado.constrain.Syntax.Rule;
import io.cortado.constrain.Syntax.Sequence;
import io.cortado.constrain.Syntax.States;
import io.cortado.constrain.Syntax.Tokens;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Makes lexemes of rules that are regular, and of regular parts of others: a lexer state is cheaper
 * than a row. A rule that is regular but for calling itself in the last place of an alternative is
 * a repetition. Small ones only: a lexeme that spans a whole document would make each place in it a
 * lexer state of its own.
 */
final class RegularRules {
    private static final int MAX_SIZE = 100;
    private static final Rule NO_RULE = new Rule("");

    private final Regexes regexes;
    private final List<Rule> lazy;
    private final Map<Rule, Regex> lexemes = new HashMap<>();
    private final Map<Rule, Integer> sizes = new HashMap<>();
    private final Set<Rule> open = new HashSet<>();
    private final Set<Rule> visited = new HashSet<>();

    /**
     * @param lazy rules that end where they first match; they must be regular
     */
    RegularRules(Regexes regexes, List<Rule> lazy) {
        this.regexes = regexes;
        this.lazy = List.copyOf(lazy);
    }

    Syntax folded(Rule start, Collection<Rule> rules) {
        for (Rule rule : rules) {
            visit(rule);
        }
        for (Rule rule : lazy) {
            if (!lexemes.containsKey(rule)) {
                throw new GrammarException(
                        GrammarException.Reason.UNSUPPORTED,
                        "",
                        "a lazy rule must be regular and small: rule=" + rule.name());
            }
        }
        for (Rule rule : rules) {
            rule.redefine(folded(rule.body()));
        }
        return start;
    }

    /** Finds the rule's lexeme, if it has one. Rules it refers to come first. */
    private void visit(Rule rule) {
        if (!visited.add(rule)) {
            return;
        }
        open.add(rule);
        Syntax body = rule.body();
        visitRules(body);
        open.remove(rule);
        int size = size(body, rule);
        Regex regex = size > MAX_SIZE ? null : solved(rule, body);
        if (regex != null) {
            sizes.put(rule, size);
            lexemes.put(rule, lazy.contains(rule) ? regexes.shortest(regex) : regex);
        }
    }

    private void visitRules(Syntax syntax) {
        switch (syntax) {
            case Rule rule -> {
                if (open.size() < MAX_SIZE) {
                    visit(rule);
                }
            }
            case Sequence(var parts) -> parts.forEach(part -> visitRules(part));
            case Choice(var options) -> options.forEach(part -> visitRules(part));
            case Repeat(Syntax body, int min, int max) -> visitRules(body);
            case Lexeme lexeme -> {}
            case Tokens tokens -> {}
            case States states -> {}
        }
    }

    /** How many parts it has, those of the rules in it included. */
    private int size(Syntax syntax, Rule self) {
        return switch (syntax) {
            case Lexeme lexeme -> 1;
            case Rule rule -> rule == self ? 1 : sizes.getOrDefault(rule, MAX_SIZE + 1);
            case Sequence(var parts) -> sum(parts, self);
            case Choice(var options) -> sum(options, self);
            case Repeat(Syntax body, int min, int max) -> size(body, self) + 1;
            case Tokens tokens -> MAX_SIZE + 1;
            case States states -> MAX_SIZE + 1;
        };
    }

    private int sum(List<Syntax> parts, Rule self) {
        int sum = 1;
        for (Syntax part : parts) {
            sum = Math.min(MAX_SIZE + 1, sum + size(part, self));
        }
        return sum;
    }

    /** {@code X = A X | B} is {@code A* B}; null where the rule calls itself elsewhere. */
    private @Nullable Regex solved(Rule rule, Syntax body) {
        List<Syntax> options = body instanceof Choice(var all) ? all : List.of(body);
        var heads = new ArrayList<Regex>();
        var ends = new ArrayList<Regex>();
        for (Syntax option : options) {
            List<Syntax> parts = option instanceof Sequence(var all) ? all : List.of(option);
            boolean isLoop = !parts.isEmpty() && parts.getLast() == rule;
            List<Syntax> rest = isLoop ? parts.subList(0, parts.size() - 1) : parts;
            Regex regex = regex(new Sequence(rest));
            if (regex == null) {
                return null;
            }
            (isLoop ? heads : ends).add(regex);
        }
        return regexes.concat(regexes.star(regexes.or(heads)), regexes.or(ends));
    }

    /** The regular language, or null. */
    private @Nullable Regex regex(Syntax syntax) {
        return switch (syntax) {
            case Lexeme(Regex regex) -> regex;
            case Rule rule -> lexemes.get(rule);
            case Sequence(var parts) -> {
                List<Regex> all = regexes(parts);
                yield all == null ? null : regexes.concat(all);
            }
            case Choice(var options) -> {
                List<Regex> all = regexes(options);
                yield all == null ? null : regexes.or(all);
            }
            case Repeat(Syntax body, int min, int max) -> {
                Regex regex = regex(body);
                yield regex == null ? null : regexes.repeat(regex, min, max);
            }
            case Tokens tokens -> null;
            case States states -> null;
        };
    }

    private @Nullable List<Regex> regexes(List<Syntax> parts) {
        var all = new ArrayList<Regex>(parts.size());
        for (Syntax part : parts) {
            Regex regex = regex(part);
            if (regex == null) {
                return null;
            }
            all.add(regex);
        }
        return all;
    }

    private Syntax folded(Syntax syntax) {
        Regex whole =
                syntax instanceof Sequence || syntax instanceof Choice || syntax instanceof Repeat
                        ? small(syntax)
                        : syntax instanceof Rule rule ? lexemes.get(rule) : null;
        if (whole != null) {
            return new Lexeme(whole);
        }
        return switch (syntax) {
            case Sequence(var parts) -> new Sequence(parts.stream().map(this::folded).toList());
            case Choice(var options) -> new Choice(options.stream().map(this::folded).toList());
            case Repeat(Syntax body, int min, int max) -> new Repeat(folded(body), min, max);
            case Rule rule -> rule;
            case Lexeme lexeme -> lexeme;
            case Tokens tokens -> tokens;
            case States states -> states;
        };
    }

    private @Nullable Regex small(Syntax syntax) {
        return size(syntax, NO_RULE) > MAX_SIZE ? null : regex(syntax);
    }
}
