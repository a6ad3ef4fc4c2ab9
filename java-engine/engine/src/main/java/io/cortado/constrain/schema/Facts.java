package io.cortado.constrain.schema;

import io.cortado.constrain.schema.Atom.AllItems;
import io.cortado.constrain.schema.Atom.AllProperties;
import io.cortado.constrain.schema.Atom.ItemCount;
import io.cortado.constrain.schema.Atom.PropertyCount;
import io.cortado.constrain.schema.Atom.SomeItem;
import io.cortado.constrain.schema.Atom.SomeProperty;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** What follows from a conjunction of atoms: only what is certain, so a "no" here means nothing. */
final class Facts {
    private final Formulas formulas;
    private final Shapes shapes;

    Facts(Formulas formulas, Shapes shapes) {
        this.formulas = formulas;
        this.shapes = shapes;
    }

    boolean implies(Set<Formula> atoms, Formula formula) {
        return switch (formula.atom) {
            case SomeProperty(var keys, var value) when isOne(keys) -> {
                String key = keys.names().iterator().next();
                yield isRequired(atoms, key) && isNever(with(atoms, key, formulas.not(value)));
            }
            case AllProperties(var keys, var value) when isOne(keys) -> {
                String key = keys.names().iterator().next();
                yield isNever(with(atoms, key, formulas.not(value)));
            }
            case PropertyCount(int min, int max) -> {
                PropertyCount known = propertyCount(atoms);
                yield known.min() >= min && known.max() <= max;
            }
            case ItemCount(int min, int max) -> {
                ItemCount known = itemCount(atoms);
                yield known.min() >= min && known.max() <= max;
            }
            case SomeItem(int from, int to, var value) when to == from + 1 ->
                    itemCount(atoms).min() > from
                            && isNever(itemWith(atoms, from, formulas.not(value)));
            case AllItems(int from, int to, var value) ->
                    itemCount(atoms).max() <= from
                            || to == from + 1
                                    && isNever(itemWith(atoms, from, formulas.not(value)));
            case null, default -> false;
        };
    }

    boolean excludes(Set<Formula> atoms, Formula formula) {
        return switch (formula.atom) {
            case SomeProperty(var keys, var value) when isOne(keys) ->
                    isNever(with(atoms, keys.names().iterator().next(), value));
            case SomeProperty(var keys, var value) -> shapes.isNever(value);
            case AllProperties(var keys, var value) -> {
                for (String key : required(atoms)) {
                    if (formulas.contains(keys, key) && isNever(with(atoms, key, value))) {
                        yield true;
                    }
                }
                yield false;
            }
            case PropertyCount(int min, int max) -> {
                PropertyCount known = propertyCount(atoms);
                yield known.min() > max || known.max() < min || required(atoms).size() > max;
            }
            case ItemCount(int min, int max) -> {
                ItemCount known = itemCount(atoms);
                yield known.min() > max || known.max() < min;
            }
            case SomeItem(int from, int to, var value) ->
                    itemCount(atoms).max() <= from
                            || shapes.isNever(value)
                            || to == from + 1 && isNever(itemWith(atoms, from, value));
            case AllItems(int from, int to, var value) ->
                    itemCount(atoms).min() > from && isNever(itemWith(atoms, from, value));
            case null, default -> false;
        };
    }

    private boolean isNever(List<Formula> parts) {
        return shapes.isNever(formulas.and(parts));
    }

    private static boolean isOne(KeySet keys) {
        return keys.isNames() && keys.names().size() == 1;
    }

    /** What is known of a property's value, and {@code more}. */
    private List<Formula> with(Set<Formula> atoms, String key, Formula more) {
        List<Formula> parts = new ArrayList<>();
        parts.add(more);
        for (Formula formula : atoms) {
            switch (formula.atom) {
                case AllProperties(var keys, var value) when formulas.contains(keys, key) ->
                        parts.add(value);
                case SomeProperty(var keys, var value)
                        when isOne(keys) && keys.names().contains(key) ->
                        parts.add(value);
                case null, default -> {}
            }
        }
        return parts;
    }

    private static boolean isRequired(Set<Formula> atoms, String key) {
        return required(atoms).contains(key);
    }

    private static Set<String> required(Set<Formula> atoms) {
        Set<String> required = new HashSet<>();
        for (Formula formula : atoms) {
            if (formula.atom instanceof SomeProperty(var keys, var value) && isOne(keys)) {
                required.addAll(keys.names());
            }
        }
        return required;
    }

    private static PropertyCount propertyCount(Set<Formula> atoms) {
        int low = required(atoms).size();
        int high = Atom.UNBOUNDED;
        for (Formula formula : atoms) {
            if (formula.atom instanceof PropertyCount(int min, int max)) {
                low = Math.max(low, min);
                high = Math.min(high, max);
            }
        }
        return new PropertyCount(low, high);
    }

    private static ItemCount itemCount(Set<Formula> atoms) {
        int low = 0;
        int high = Atom.UNBOUNDED;
        for (Formula formula : atoms) {
            if (formula.atom instanceof ItemCount(int min, int max)) {
                low = Math.max(low, min);
                high = Math.min(high, max);
            } else if (formula.atom instanceof SomeItem(int from, int to, var value)) {
                low = Math.max(low, from + 1);
            }
        }
        return new ItemCount(low, high);
    }

    private List<Formula> itemWith(Set<Formula> atoms, int index, Formula more) {
        List<Formula> parts = new ArrayList<>();
        parts.add(more);
        for (Formula formula : atoms) {
            switch (formula.atom) {
                case AllItems(int from, int to, var value) when from <= index && index < to ->
                        parts.add(value);
                case SomeItem(int from, int to, var value) when from == index && to == index + 1 ->
                        parts.add(value);
                case null, default -> {}
            }
        }
        return parts;
    }
}
