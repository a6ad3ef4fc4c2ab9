package io.cortado.constrain;

import io.cortado.constrain.Syntax.Choice;
import io.cortado.constrain.Syntax.Lexeme;
import io.cortado.constrain.Syntax.Repeat;
import io.cortado.constrain.Syntax.Rule;
import io.cortado.constrain.Syntax.Sequence;
import io.cortado.constrain.Syntax.States;
import io.cortado.constrain.Syntax.Tokens;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.SequencedSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Cuts off what can never match, and finds which parts match the empty string. */
final class Pruning {
    private final Regexes regexes;
    private final SequencedSet<Rule> rules = new LinkedHashSet<>();
    private final Set<Rule> productive = new HashSet<>();
    private final Set<Rule> nullable = new HashSet<>();

    private Pruning(Regexes regexes) {
        this.regexes = regexes;
    }

    static Syntax prune(Syntax grammar, Regexes regexes) {
        var pruning = new Pruning(regexes);
        pruning.collect(grammar);
        pruning.settle();
        Syntax pruned = pruning.pruned(grammar);
        if (pruned == null) {
            throw new GrammarException(
                    GrammarException.Reason.UNSATISFIABLE, "", "nothing matches the grammar");
        }
        for (Rule rule : pruning.rules) {
            Syntax body = pruning.pruned(rule.body());
            rule.redefine(body == null ? new Choice(List.of()) : body);
        }
        return pruned;
    }

    private void collect(Syntax grammar) {
        var open = new ArrayDeque<Syntax>();
        open.push(grammar);
        while (!open.isEmpty()) {
            switch (open.pop()) {
                case Rule rule -> {
                    if (rules.add(rule)) {
                        open.push(rule.body());
                    }
                }
                case Sequence(var parts) -> parts.forEach(open::push);
                case Choice(var options) -> options.forEach(open::push);
                case Repeat(Syntax body, int min, int max) -> open.push(body);
                case Lexeme lexeme -> {}
                case Tokens tokens -> {}
                case States states -> {}
            }
        }
    }

    /** The least fixed points. Callees mostly stand behind their callers, so they come first. */
    private void settle() {
        boolean changed = true;
        while (changed) {
            changed = false;
            for (Rule rule : rules.reversed()) {
                regexes.fuel().burn(1);
                if (!productive.contains(rule) && isProductive(rule.body())) {
                    changed |= productive.add(rule);
                }
                if (!nullable.contains(rule) && isNullable(rule.body())) {
                    changed |= nullable.add(rule);
                }
            }
        }
    }

    private boolean isProductive(Syntax syntax) {
        return switch (syntax) {
            case Lexeme(Regex regex) -> !regexes.isEmpty(regex);
            case Tokens(TokenSet set) -> set.isNegated() || set.ids().length > 0;
            case States states -> true;
            case Rule rule -> productive.contains(rule);
            case Sequence(var parts) -> parts.stream().allMatch(this::isProductive);
            case Choice(var options) -> options.stream().anyMatch(this::isProductive);
            case Repeat(Syntax body, int min, int max) -> min == 0 || isProductive(body);
        };
    }

    private boolean isNullable(Syntax syntax) {
        return switch (syntax) {
            case Lexeme(Regex regex) -> regex.isNullable;
            case Tokens tokens -> false;
            // Not known, and only used to shorten repetitions.
            case States states -> false;
            case Rule rule -> nullable.contains(rule);
            case Sequence(var parts) -> parts.stream().allMatch(this::isNullable);
            case Choice(var options) -> options.stream().anyMatch(this::isNullable);
            case Repeat(Syntax body, int min, int max) -> min == 0 || isNullable(body);
        };
    }

    private @Nullable Syntax pruned(Syntax syntax) {
        if (!isProductive(syntax)) {
            return null;
        }
        return switch (syntax) {
            case Lexeme lexeme -> lexeme;
            case Tokens tokens -> tokens;
            case States states -> states;
            case Rule rule -> rule;
            case Sequence(var parts) -> new Sequence(prunedAll(parts));
            case Choice(var options) -> new Choice(prunedAll(options));
            case Repeat(Syntax body, int min, int max) -> {
                Syntax pruned = pruned(body);
                // Copies of what may be empty may all be empty: no count is a lower bound.
                yield pruned == null
                        ? new Sequence(List.of())
                        : new Repeat(pruned, isNullable(body) ? 0 : min, max);
            }
        };
    }

    private List<Syntax> prunedAll(List<Syntax> parts) {
        var pruned = new ArrayList<Syntax>(parts.size());
        for (Syntax part : parts) {
            Syntax kept = pruned(part);
            if (kept != null) {
                pruned.add(kept);
            }
        }
        return pruned;
    }
}
