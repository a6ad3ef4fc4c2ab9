package io.cortado.constrain.schema;

import io.cortado.constrain.GrammarException;
import io.cortado.constrain.GrammarException.Reason;
import io.cortado.constrain.Regex;
import io.cortado.constrain.schema.Atom.AllProperties;
import io.cortado.constrain.schema.Atom.Needs;
import io.cortado.constrain.schema.Atom.PropertyCount;
import io.cortado.constrain.schema.Atom.SomeProperty;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Makes an object's shape of what is said about it: splits the keys until all can be told apart.
 */
final class ObjectShapeBuilder {
    private static final int MAX_CLASSES = 64;
    private static final int MAX_WITNESSES = 12;

    /** Classes of no more keys than this are keys with names. */
    private static final int FEW_KEYS = 64;

    private final Shapes shapes;
    private final Formulas formulas;
    private final Map<String, List<Formula>> named = new LinkedHashMap<>();
    private final List<AllProperties> wide = new ArrayList<>();
    private final List<SomeProperty> some = new ArrayList<>();
    private final Map<String, List<String>> needs = new HashMap<>();
    private final Set<String> required = new LinkedHashSet<>();
    private int min;
    private int max = Atom.UNBOUNDED;

    ObjectShapeBuilder(Shapes shapes) {
        this.shapes = shapes;
        formulas = shapes.formulas;
    }

    ObjectShape build(Set<Formula> atoms) {
        atoms.forEach(this::add);
        List<ObjectShape.Others> others = others();
        String[] keys = named.keySet().toArray(new String[0]);
        var values = new Formula[keys.length];
        var requiredKeys = new BitSet();
        for (int i = 0; i < keys.length; i++) {
            values[i] = valueOf(keys[i]);
            requiredKeys.set(i, required.contains(keys[i]));
        }
        List<ObjectShape.Witness> witnesses = new ArrayList<>();
        for (SomeProperty atom : some) {
            witnesses.add(witness(atom, keys, others));
        }
        if (witnesses.size() > MAX_WITNESSES) {
            throw new GrammarException(
                    Reason.LIMIT,
                    "",
                    "too many statements that some property is such: limit=" + MAX_WITNESSES);
        }
        return new ObjectShape(
                keys, values, requiredKeys, needed(keys), others, witnesses, min, max, shapes);
    }

    /** By key, those that it needs. */
    private Map<Integer, BitSet> needed(String[] keys) {
        Map<Integer, BitSet> needed = new HashMap<>();
        List<String> places = Arrays.asList(keys);
        needs.forEach((key, others) -> {
            var bits = new BitSet();
            others.forEach(other -> bits.set(places.indexOf(other)));
            needed.put(places.indexOf(key), bits);
        });
        return needed;
    }

    private void add(Formula formula) {
        switch (formula.atom) {
            case AllProperties all -> {
                for (String key : all.keys().names()) {
                    List<Formula> values = known(key);
                    if (all.keys().isNames()) {
                        values.add(all.value());
                    }
                }
                if (!all.keys().isNames()) {
                    wide.add(all);
                }
            }
            case SomeProperty one -> {
                one.keys().names().forEach(this::known);
                if (one.keys().isNames() && one.keys().names().size() == 1) {
                    String key = one.keys().names().iterator().next();
                    required.add(key);
                    known(key).add(one.value());
                } else {
                    some.add(one);
                }
            }
            case Needs(String key, String needed) -> {
                known(key);
                known(needed);
                needs.computeIfAbsent(key, k -> new ArrayList<>()).add(needed);
            }
            case PropertyCount(int low, int high) -> {
                min = Math.max(min, low);
                max = Math.min(max, high);
            }
            case null, default -> throw new IllegalStateException("not of objects: " + formula);
        }
    }

    /** What is said of the value of a key that has a name. */
    private List<Formula> known(String key) {
        return named.computeIfAbsent(key, k -> new ArrayList<>());
    }

    /** Keys without a name, and which of the statements' bodies they are in. */
    private record Class(Regex body, BitSet within) {}

    /** The keys without names, in classes that no statement splits further. */
    private List<Class> classes() {
        List<Regex> bodies = bodies();
        Regex unnamed =
                named.isEmpty()
                        ? formulas.text.text()
                        : formulas.text.except(formulas.text.oneOf(named.keySet()));
        List<Class> classes = List.of(new Class(unnamed, new BitSet()));
        for (int i = 0; i < bodies.size(); i++) {
            List<Class> split = new ArrayList<>();
            for (Class part : classes) {
                var within = (BitSet) part.within.clone();
                within.set(i);
                Regex body = bodies.get(i);
                boolean isSplit = body != formulas.text.text();
                add(formulas.regexes.and(part.body, body), within, split);
                if (isSplit) {
                    Regex rest = formulas.regexes.and(part.body, formulas.regexes.not(body));
                    add(rest, part.within, split);
                }
            }
            classes = split;
            if (classes.size() > MAX_CLASSES) {
                throw new GrammarException(
                        Reason.LIMIT,
                        "",
                        "patterns of keys overlap in more ways than allowed: limit=" + MAX_CLASSES);
            }
        }
        return classes;
    }

    private List<Regex> bodies() {
        Set<Regex> bodies = new LinkedHashSet<>();
        wide.forEach(all -> bodies.add(all.keys().body()));
        some.stream()
                .filter(one -> !one.keys().isNames())
                .forEach(one -> bodies.add(one.keys().body()));
        return List.copyOf(bodies);
    }

    private void add(Regex body, BitSet within, List<Class> out) {
        if (!formulas.regexes.isEmpty(body)) {
            out.add(new Class(body, within));
        }
    }

    /** Where it matters how many keys there are, classes of few keys are keys with names. */
    private List<ObjectShape.Others> others() {
        List<Regex> bodies = bodies();
        boolean countsKeys = min > 0 || !some.isEmpty();
        List<ObjectShape.Others> others = new ArrayList<>();
        for (Class part : classes()) {
            Formula value = valueOf(part, bodies);
            if (value == formulas.nothing) {
                continue;
            }
            boolean isOne = part.within.isEmpty() || bodies.equals(List.of(formulas.text.text()));
            Set<String> few =
                    countsKeys && !isOne ? shapes.scalars.strings(part.body, FEW_KEYS) : null;
            if (few == null) {
                others.add(new ObjectShape.Others(part.body, value));
            } else {
                few.forEach(this::known);
            }
        }
        return others;
    }

    private Formula valueOf(String key) {
        List<Formula> parts = new ArrayList<>(named.getOrDefault(key, List.of()));
        for (AllProperties all : wide) {
            if (formulas.contains(all.keys(), key)) {
                parts.add(all.value());
            }
        }
        return formulas.and(parts);
    }

    private Formula valueOf(Class part, List<Regex> bodies) {
        List<Formula> parts = new ArrayList<>();
        for (AllProperties all : wide) {
            if (part.within.get(bodies.indexOf(all.keys().body()))) {
                parts.add(all.value());
            }
        }
        return formulas.and(parts);
    }

    private boolean isWithin(Regex body, KeySet keys) {
        return !formulas.regexes.isEmpty(formulas.regexes.and(body, keys.body()));
    }

    private ObjectShape.Witness witness(
            SomeProperty atom, String[] keys, List<ObjectShape.Others> others) {
        var names = new BitSet();
        for (int i = 0; i < keys.length; i++) {
            names.set(i, formulas.contains(atom.keys(), keys[i]));
        }
        var classes = new BitSet();
        for (int i = 0; i < others.size(); i++) {
            classes.set(i, !atom.keys().isNames() && isWithin(others.get(i).body(), atom.keys()));
        }
        return new ObjectShape.Witness(names, classes, atom.value());
    }
}
