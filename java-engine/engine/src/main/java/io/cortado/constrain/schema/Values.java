package io.cortado.constrain.schema;

import io.cortado.constrain.Edges;
import io.cortado.constrain.Regex;
import io.cortado.constrain.RuleState;

/** The states around values: before a whole value, before one that something follows, the end. */
final class Values {
    private Values() {}

    /** A whole value. */
    record Value(Formula formula, Shapes shapes) implements RuleState {
        @Override
        public void expand(Edges out) {
            Regex scalars = shapes.scalars.written(formula);
            out.lexeme(scalars, End.STATE);
            expandCompound(formula, shapes, out);
        }
    }

    /** A value, then {@code next}. */
    record Then(Formula formula, RuleState next, Shapes shapes) implements RuleState {
        @Override
        public long sizeBytes() {
            return next.sizeBytes();
        }

        @Override
        public void expand(Edges out) {
            out.lexeme(shapes.scalars.written(formula), next);
            if (!shapes.objects(formula).isEmpty() || !shapes.arrays(formula).isEmpty()) {
                var compound = new Compound(formula, shapes);
                if (compound.isPossible()) {
                    out.call(compound, next);
                }
            }
        }
    }

    /** An object or an array. */
    record Compound(Formula formula, Shapes shapes) implements RuleState {
        boolean isPossible() {
            return shapes.objects(formula).stream().anyMatch(ObjectShape::isPossible)
                    || shapes.arrays(formula).stream().anyMatch(ArrayShape::isPossible);
        }

        @Override
        public void expand(Edges out) {
            expandCompound(formula, shapes, out);
        }
    }

    /** Nothing more. */
    enum End implements RuleState {
        STATE;

        @Override
        public void expand(Edges out) {
            out.accept();
        }
    }

    private static void expandCompound(Formula formula, Shapes shapes, Edges out) {
        for (ObjectShape shape : shapes.objects(formula)) {
            if (shape.isPossible()) {
                out.lexeme(shapes.layout.objectStart, ObjectState.start(shape));
            }
        }
        for (ArrayShape shape : shapes.arrays(formula)) {
            if (shape.isPossible()) {
                out.lexeme(shapes.layout.arrayStart, ArrayState.start(shape, shapes));
            }
        }
    }
}
