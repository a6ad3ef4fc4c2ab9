package io.cortado.constrain.schema;

import io.cortado.constrain.GrammarException;
import io.cortado.constrain.GrammarException.Reason;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Turns what a formula says of objects, or of arrays, into alternatives that are conjunctions of
 * atoms. Alternatives that contradict themselves are left out, and those that what is certain
 * already implies are not distinguished: most of what {@code oneOf} would multiply goes that way.
 */
final class Cases {
    private static final int MAX_STEPS = 20_000;
    private static final int MAX_CASES = 1_000;

    /** Choices that are all open would make more cases than there can be. */
    private static final int MAX_DEPTH = 100;

    private final Formulas formulas;
    private final Facts facts;
    private final List<Set<Formula>> found = new ArrayList<>();
    private int steps;

    /**
     * @param facts what follows from a conjunction
     */
    Cases(Formulas formulas, Facts facts) {
        this.formulas = formulas;
        this.facts = facts;
    }

    /** The alternatives, as sets of atoms. */
    List<Set<Formula>> of(Formula restricted) {
        Set<Formula> atoms = new LinkedHashSet<>();
        List<Formula> choices = new ArrayList<>();
        if (assume(restricted, atoms, choices)) {
            search(atoms, choices, 0);
        }
        return withoutNarrower();
    }

    /** Adds a formula; false where it cannot hold. */
    private boolean assume(Formula formula, Set<Formula> atoms, List<Formula> choices) {
        switch (formula.kind) {
            case TYPES -> {
                return formula.types != 0;
            }
            case AND -> {
                for (Formula part : formula.parts) {
                    if (!assume(part, atoms, choices)) {
                        return false;
                    }
                }
                return true;
            }
            case OR -> choices.add(formula);
            case ATOM -> atoms.add(formula);
            case SCHEMA -> throw new IllegalStateException("not read: " + formula);
        }
        return true;
    }

    private void search(Set<Formula> atoms, List<Formula> choices, int depth) {
        if (++steps > MAX_STEPS || found.size() > MAX_CASES || depth > MAX_DEPTH) {
            throw new GrammarException(
                    Reason.LIMIT,
                    "",
                    "the schema has more alternatives than allowed: limit=" + MAX_CASES);
        }
        List<Formula> left = new ArrayList<>();
        List<Formula> open = new ArrayList<>(choices);
        while (!open.isEmpty()) {
            Formula choice = open.removeLast();
            List<Formula> options = possible(choice, atoms);
            if (options == null) {
                continue;
            }
            if (options.isEmpty()) {
                return;
            }
            if (options.size() > 1) {
                left.add(formulas.or(options));
            } else {
                int before = atoms.size();
                if (!assume(options.getFirst(), atoms, open)) {
                    return;
                }
                if (atoms.size() > before) {
                    open.addAll(left);
                    left.clear();
                }
            }
        }
        if (left.isEmpty()) {
            found.add(atoms);
            return;
        }
        Formula choice = left.getFirst();
        for (Formula other : left) {
            choice = other.parts.size() < choice.parts.size() ? other : choice;
        }
        left.remove(choice);
        for (Formula option : choice.parts) {
            Set<Formula> more = new LinkedHashSet<>(atoms);
            List<Formula> rest = new ArrayList<>(left);
            if (assume(option, more, rest)) {
                search(more, rest, depth + 1);
            }
        }
    }

    /** The options that may hold; null where one holds anyway. */
    private @Nullable List<Formula> possible(Formula choice, Set<Formula> atoms) {
        if (choice.kind != Formula.Kind.OR) {
            return List.of(choice);
        }
        List<Formula> options = new ArrayList<>();
        for (Formula option : choice.parts) {
            if (isImplied(option, atoms)) {
                return null;
            }
            if (!isExcluded(option, atoms)) {
                options.add(option);
            }
        }
        return options;
    }

    private boolean isImplied(Formula formula, Set<Formula> atoms) {
        return switch (formula.kind) {
            case TYPES -> formula.types != 0;
            case ATOM -> atoms.contains(formula) || facts.implies(atoms, formula);
            case AND -> formula.parts.stream().allMatch(part -> isImplied(part, atoms));
            case OR -> formula.parts.stream().anyMatch(part -> isImplied(part, atoms));
            case SCHEMA -> false;
        };
    }

    private boolean isExcluded(Formula formula, Set<Formula> atoms) {
        return switch (formula.kind) {
            case TYPES -> formula.types == 0;
            case ATOM -> facts.excludes(atoms, formula);
            case AND -> formula.parts.stream().anyMatch(part -> isExcluded(part, atoms));
            case OR -> formula.parts.stream().allMatch(part -> isExcluded(part, atoms));
            case SCHEMA -> false;
        };
    }

    private List<Set<Formula>> withoutNarrower() {
        List<Set<Formula>> kept = new ArrayList<>();
        for (int i = 0; i < found.size(); i++) {
            Set<Formula> atoms = found.get(i);
            boolean isNarrower = false;
            for (int j = 0; j < found.size() && !isNarrower; j++) {
                Set<Formula> other = found.get(j);
                isNarrower =
                        i != j
                                && atoms.containsAll(other)
                                && (other.size() < atoms.size() || j < i);
            }
            if (!isNarrower) {
                kept.add(atoms);
            }
        }
        return kept;
    }
}
