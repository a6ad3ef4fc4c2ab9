package io.cortado.constrain.schema;

import io.cortado.constrain.GrammarException;
import java.util.HashSet;
import java.util.Set;

/** Follows schemas that apply to the same value: none may come back to where it began. */
final class InPlaceReferences {
    private static final int MAX_DEPTH = 1_000;

    private final Set<SchemaUse> open = new HashSet<>();
    private final Set<SchemaUse> done = new HashSet<>();

    /**
     * Looks at one schema that was read.
     *
     * @throws GrammarException if it leads back to itself, or too far
     */
    void check(SchemaUse use) {
        if (done.contains(use)) {
            return;
        }
        if (!open.add(use)) {
            throw use.place.syntax("", "a reference leads back to itself without a value between");
        }
        if (open.size() > MAX_DEPTH) {
            throw use.place.limit(
                    "", "schemas refer to others in more steps than allowed: limit=" + MAX_DEPTH);
        }
        visit(use.formula());
        open.remove(use);
        done.add(use);
    }

    private void visit(Formula formula) {
        if (formula.use != null) {
            check(formula.use);
        }
        formula.parts.forEach(this::visit);
    }
}
