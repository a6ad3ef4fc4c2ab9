package io.cortado.constrain.schema;

import io.cortado.constrain.GrammarException;
import io.cortado.constrain.GrammarException.Reason;
import java.util.ArrayDeque;
import java.util.HashSet;
import java.util.Set;

/** Looks through all that a formula may come to ask for what cannot be enforced. */
final class Reachable {
    private record Found(Formula formula, String pointer) {}

    private final Formulas formulas;
    private final ArrayDeque<Found> open = new ArrayDeque<>();
    private final Set<Formula> seen = new HashSet<>();

    private Reachable(Formulas formulas) {
        this.formulas = formulas;
    }

    /**
     * Refuses the opposite of {@code uniqueItems}.
     *
     * @throws GrammarException with a pointer to the schema that holds it
     */
    static void check(Formula root, Formulas formulas) {
        var reachable = new Reachable(formulas);
        reachable.add(root, "");
        while (!reachable.open.isEmpty()) {
            reachable.visit(reachable.open.pop());
        }
    }

    private void add(Formula formula, String pointer) {
        if (seen.add(formula)) {
            open.push(new Found(formula, pointer));
        }
    }

    private void visit(Found found) {
        Formula formula = found.formula;
        switch (formula.kind) {
            case TYPES -> {}
            case AND, OR -> formula.parts.forEach(part -> add(part, found.pointer));
            case SCHEMA -> {
                String pointer = formula.use == null ? "" : formula.use.place.pointer();
                add(formulas.read(formula), pointer);
            }
            case ATOM -> visitAtom(formula, found.pointer);
        }
    }

    private void visitAtom(Formula formula, String pointer) {
        switch (formula.atom) {
            case Atom.RepeatedItem repeated ->
                    throw new GrammarException(
                            Reason.UNSUPPORTED,
                            pointer,
                            "the opposite of uniqueItems cannot be enforced");
            case Atom.AllProperties(var keys, var value) -> add(value, pointer);
            case Atom.SomeProperty(var keys, var value) -> add(value, pointer);
            case Atom.AllItems(int from, int to, var value) -> add(value, pointer);
            case Atom.SomeItem(int from, int to, var value) -> add(value, pointer);
            case Atom.Contains(var value, int min, int max) -> {
                add(value, pointer);
                if (max < Atom.UNBOUNDED) {
                    add(formulas.not(value), pointer);
                }
            }
            case null, default -> {}
        }
    }
}
