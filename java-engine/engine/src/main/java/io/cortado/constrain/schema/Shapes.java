package io.cortado.constrain.schema;

import io.cortado.constrain.GrammarException;
import io.cortado.constrain.GrammarException.Reason;
import io.cortado.constrain.Regex;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What the values of a formula look like: scalars, and alternatives of objects and of arrays; and
 * whether there are any.
 */
final class Shapes {
    /** Deeper chains of what must be there would overflow the stack. */
    private static final int MAX_DEPTH = 250;

    private record Asked(Formula formula, int limit) {}

    final Formulas formulas;
    final Scalars scalars;
    final Layout layout;
    private final Facts facts;
    private final Map<Formula, Boolean> satisfiable = new HashMap<>();
    private final Map<Formula, Integer> depths = new HashMap<>();
    private final Map<Formula, List<ObjectShape>> objects = new HashMap<>();
    private final Map<Formula, List<ArrayShape>> arrays = new HashMap<>();
    private final Map<Object, ObjectShape> objectsByAtoms = new HashMap<>();
    private final Map<Set<Formula>, ArrayShape> arraysByAtoms = new HashMap<>();
    private final Map<Asked, @Nullable Set<Object>> values = new HashMap<>();

    /** The least depth of what is being decided that the last decision depended on. */
    private int lowest = Integer.MAX_VALUE;

    Shapes(Formulas formulas, Layout layout) {
        this.formulas = formulas;
        this.layout = layout;
        scalars = new Scalars(formulas);
        facts = new Facts(formulas, this);
    }

    List<ObjectShape> objects(Formula formula) {
        Formula only = scalars.restricted(formula, Types.OBJECT);
        List<ObjectShape> known = objects.get(only);
        if (known == null) {
            known = new ArrayList<>();
            for (Set<Formula> atoms : new Cases(formulas, facts).of(only)) {
                // Where the order counts, the same statements in another one are another shape.
                Object key = layout.isDeclaredOrder ? List.copyOf(atoms) : atoms;
                ObjectShape shape = objectsByAtoms.get(key);
                if (shape == null) {
                    shape = new ObjectShapeBuilder(this).build(atoms);
                    objectsByAtoms.put(key, shape);
                }
                known.add(shape);
            }
            objects.put(only, known);
        }
        return known;
    }

    List<ArrayShape> arrays(Formula formula) {
        Formula only = scalars.restricted(formula, Types.ARRAY);
        List<ArrayShape> known = arrays.get(only);
        if (known == null) {
            known = new ArrayList<>();
            for (Set<Formula> atoms : new Cases(formulas, facts).of(only)) {
                known.add(arraysByAtoms.computeIfAbsent(atoms, key -> ArrayShape.of(key, this)));
            }
            arrays.put(only, known);
        }
        return known;
    }

    /** Whether no value satisfies it, for certain. */
    boolean isNever(Formula formula) {
        int outer = lowest;
        lowest = Integer.MAX_VALUE;
        boolean isCertain = !decide(formula) && lowest == Integer.MAX_VALUE;
        lowest = outer;
        return isCertain;
    }

    /**
     * Whether some value satisfies it: the least fixed point, since a value is finite. While a
     * formula is being decided it counts as having none.
     */
    boolean isPossible(Formula formula) {
        return decide(formula);
    }

    /** How many formulas are being decided. */
    int openness() {
        return depths.size();
    }

    private boolean decide(Formula formula) {
        Formula plain = formulas.read(formula);
        if (plain.kind == Formula.Kind.TYPES) {
            return plain.types != 0;
        }
        Boolean known = satisfiable.get(plain);
        if (known != null) {
            return known;
        }
        Integer before = depths.get(plain);
        if (before != null) {
            lowest = Math.min(lowest, before);
            return false;
        }
        int depth = depths.size();
        if (depth > MAX_DEPTH) {
            throw new GrammarException(
                    Reason.LIMIT,
                    "",
                    "values must not need more values within each other than allowed: limit="
                            + MAX_DEPTH);
        }
        depths.put(plain, depth);
        int outer = lowest;
        lowest = Integer.MAX_VALUE;
        boolean is;
        try {
            is = hasValue(plain);
        } finally {
            depths.remove(plain);
        }
        if (is || lowest >= depth) {
            satisfiable.put(plain, is);
            lowest = outer;
        } else {
            lowest = Math.min(outer, lowest);
        }
        return is;
    }

    private boolean hasValue(Formula formula) {
        if (hasScalar(formula)) {
            return true;
        }
        for (ObjectShape shape : objects(formula)) {
            if (shape.isPossible()) {
                return true;
            }
        }
        for (ArrayShape shape : arrays(formula)) {
            if (shape.isPossible()) {
                return true;
            }
        }
        return false;
    }

    private boolean hasScalar(Formula formula) {
        Regex written = scalars.written(formula);
        return !formulas.regexes.isEmpty(written);
    }

    /** All values; null if there are more than {@code limit}, or it would take long to tell. */
    @Nullable Set<Object> values(Formula formula, int limit) {
        if (openness() > 0) {
            return new FewValues(this, limit).of(formula);
        }
        var asked = new Asked(formula, limit);
        if (!values.containsKey(asked)) {
            values.put(asked, new FewValues(this, limit).of(formula));
        }
        return values.get(asked);
    }
}
