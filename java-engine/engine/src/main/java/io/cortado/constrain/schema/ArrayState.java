package io.cortado.constrain.schema;

import io.cortado.constrain.Edges;
import io.cortado.constrain.RuleState;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Within an array, after a whole item or at its start.
 *
 * @param seen the items so far, where they must differ
 */
record ArrayState(
        ArrayShape shape,
        ArrayShape.Progress progress,
        Set<Object> seen,
        boolean isFirst,
        Shapes shapes)
        implements RuleState {
    static ArrayState start(ArrayShape shape, Shapes shapes) {
        return new ArrayState(shape, shape.start(), Set.of(), true, shapes);
    }

    @Override
    public void expand(Edges out) {
        Layout layout = shapes.layout;
        if (shape.isComplete(progress)) {
            out.lexeme(isFirst ? layout.arrayEnd : layout.laterArrayEnd, Values.End.STATE);
        }
        List<ArrayShape.Step> steps = shape.steps(progress);
        if (isFirst) {
            items(steps, out);
        } else if (steps.stream().anyMatch(this::isPossible)) {
            out.lexeme(layout.comma, new Items(this, steps));
        }
    }

    private boolean isPossible(ArrayShape.Step step) {
        return !shape.isUnique || shapes.isPossible(different(step.item()));
    }

    /** Neither what was there already, nor what an item after it will need. */
    private Formula different(Formula item) {
        Set<Object> excluded = new HashSet<>(seen);
        var later = new Distinct(shapes, shape.later(progress));
        excluded.addAll(later.needed(seen));
        Formulas formulas = shapes.formulas;
        return excluded.isEmpty()
                ? item
                : formulas.and(item, formulas.not(formulas.oneOf(List.copyOf(excluded))));
    }

    private void items(List<ArrayShape.Step> steps, Edges out) {
        for (ArrayShape.Step step : steps) {
            if (!isPossible(step)) {
                continue;
            }
            if (shape.isUnique) {
                var item = new Values.Value(different(step.item()), shapes);
                out.capture(item, bytes -> after(step, bytes));
            } else {
                var next = new ArrayState(shape, step.after(), seen, false, shapes);
                out.skip(new Values.Then(step.item(), next, shapes));
            }
        }
    }

    private ArrayState after(ArrayShape.Step step, byte[] item) {
        Set<Object> more = new HashSet<>(seen);
        more.add(Json.value(Json.parse(item)));
        return new ArrayState(shape, step.after(), more, false, shapes);
    }

    /** After a comma. */
    private record Items(ArrayState state, List<ArrayShape.Step> steps) implements RuleState {
        @Override
        public void expand(Edges out) {
            state.items(steps, out);
        }
    }
}
