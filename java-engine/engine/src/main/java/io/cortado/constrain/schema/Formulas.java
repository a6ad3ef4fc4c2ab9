package io.cortado.constrain.schema;

import io.cortado.constrain.GrammarException;
import io.cortado.constrain.Regex;
import io.cortado.constrain.Regexes;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/** Makes formulas, simplified as far as their outermost structure shows. */
final class Formulas {
    private static final int MAX_FORMULAS = 500_000;

    /** One with its key, and with what {@link Shapes} knows of it. */
    private static final long FORMULA_BYTES = 600;

    private static final Comparator<Formula> BY_ID = Comparator.comparingInt(f -> f.id);

    private record Key(
            Formula.Kind kind,
            int types,
            @Nullable Atom atom,
            boolean flag,
            List<Formula> parts,
            @Nullable SchemaUse use) {}

    private final Map<Key, Formula> known = new HashMap<>();
    final Regexes regexes;
    final JsonText text;
    final Numbers numbers;
    final Formula anything;
    final Formula nothing;
    private final boolean keepsOrder;
    private boolean comparesItems;

    /**
     * @param keepsOrder whether what a conjunction says stays in the order in which it was said
     */
    Formulas(Regexes regexes, boolean keepsOrder) {
        this.regexes = regexes;
        this.keepsOrder = keepsOrder;
        text = new JsonText(regexes);
        numbers = new Numbers(regexes);
        nothing = types(0);
        anything = types(Types.ALL);
    }

    private Formula make(
            Formula.Kind kind,
            int types,
            @Nullable Atom atom,
            boolean flag,
            List<Formula> parts,
            @Nullable SchemaUse use) {
        return known.computeIfAbsent(
                new Key(kind, types, atom, flag, parts, use),
                key -> {
                    if (known.size() >= MAX_FORMULAS) {
                        throw new GrammarException(
                                GrammarException.Reason.LIMIT,
                                "",
                                "the schema needs more formulas than allowed: limit="
                                        + MAX_FORMULAS);
                    }
                    return new Formula(known.size(), kind, types, atom, flag, parts, use);
                });
    }

    /** An estimate of the heap that all take. */
    long sizeBytes() {
        return FORMULA_BYTES * known.size();
    }

    Formula types(int types) {
        return make(Formula.Kind.TYPES, types, null, false, List.of(), null);
    }

    /** Values of other types fit. */
    Formula atom(Atom atom) {
        return atom(atom, true);
    }

    private Formula atom(Atom atom, boolean holdsElsewhere) {
        comparesItems |= atom instanceof Atom.UniqueItems;
        boolean isTrivial =
                switch (atom) {
                    // A key that may have any value still has its place in an order.
                    case Atom.AllProperties(var keys, var value) ->
                            simple(value) == anything && !(keepsOrder && keys.isNames());
                    case Atom.AllItems(int from, int to, var value) ->
                            simple(value) == anything || from >= to;
                    case Atom.PropertyCount(int min, int max) -> min == 0 && max == Atom.UNBOUNDED;
                    case Atom.ItemCount(int min, int max) -> min == 0 && max == Atom.UNBOUNDED;
                    case Atom.Contains(var value, int min, int max) ->
                            min == 0 && max == Atom.UNBOUNDED;
                    default -> false;
                };
        if (isTrivial) {
            return holdsElsewhere ? anything : types(atom.type());
        }
        return make(Formula.Kind.ATOM, 0, atom, holdsElsewhere, List.of(), null);
    }

    /** Whether anything was said about equal items. */
    boolean comparesItems() {
        return comparesItems;
    }

    Formula schema(SchemaUse use) {
        return make(Formula.Kind.SCHEMA, 0, null, false, List.of(), use);
    }

    Formula and(Formula... parts) {
        return and(Arrays.asList(parts));
    }

    Formula or(Formula... parts) {
        return or(Arrays.asList(parts));
    }

    Formula and(Collection<Formula> parts) {
        Set<Formula> flat = new LinkedHashSet<>();
        int types = flatten(Formula.Kind.AND, parts, flat, Types.ALL);
        if (types == 0) {
            return nothing;
        }
        if (types != Types.ALL) {
            flat.add(types(types));
        }
        return joined(Formula.Kind.AND, flat, anything);
    }

    Formula or(Collection<Formula> parts) {
        Set<Formula> flat = new LinkedHashSet<>();
        int types = flatten(Formula.Kind.OR, parts, flat, 0);
        if (types == Types.ALL) {
            return anything;
        }
        if (types != 0) {
            flat.add(types(types));
        }
        return joined(Formula.Kind.OR, flat, nothing);
    }

    private Formula joined(Formula.Kind kind, Set<Formula> flat, Formula neutral) {
        if (flat.size() <= 1) {
            return flat.isEmpty() ? neutral : flat.iterator().next();
        }
        List<Formula> sorted = new ArrayList<>(flat);
        if (kind == Formula.Kind.OR || !keepsOrder) {
            sorted.sort(BY_ID);
        }
        return make(kind, 0, null, false, List.copyOf(sorted), null);
    }

    private int flatten(Formula.Kind kind, Collection<Formula> parts, Set<Formula> out, int types) {
        int joined = types;
        for (Formula part : parts) {
            Formula plain = simple(part);
            if (plain.kind == kind) {
                joined = flatten(kind, plain.parts, out, joined);
            } else if (plain.kind == Formula.Kind.TYPES) {
                joined = kind == Formula.Kind.AND ? joined & plain.types : joined | plain.types;
            } else {
                out.add(plain);
            }
        }
        return joined;
    }

    /** A schema that was read already and says no more than types. */
    Formula simple(Formula formula) {
        if (formula.kind != Formula.Kind.SCHEMA || formula.use == null) {
            return formula;
        }
        Formula read = formula.use.known();
        if (read == null || read.kind != Formula.Kind.TYPES) {
            return formula;
        }
        return formula.isOpposite ? not(read) : read;
    }

    /** What a schema says; other formulas are themselves. */
    Formula read(Formula formula) {
        Formula result = formula;
        while (result.kind == Formula.Kind.SCHEMA && result.use != null) {
            Formula read = result.use.formula();
            result = result.isOpposite ? not(read) : read;
        }
        return result;
    }

    Formula not(Formula formula) {
        Formula opposite = formula.opposite;
        if (opposite == null) {
            opposite =
                    switch (formula.kind) {
                        case TYPES -> types(Types.ALL & ~formula.types);
                        case AND -> or(formula.parts.stream().map(this::not).toList());
                        case OR -> and(formula.parts.stream().map(this::not).toList());
                        case SCHEMA ->
                                make(
                                        Formula.Kind.SCHEMA,
                                        0,
                                        null,
                                        !formula.isOpposite,
                                        List.of(),
                                        formula.use);
                        case ATOM -> notAtom(formula);
                    };
            formula.opposite = opposite;
        }
        return opposite;
    }

    private Formula notAtom(Formula formula) {
        boolean elsewhere = !formula.holdsElsewhere;
        if (formula.atom == null) {
            throw new IllegalStateException("an atom without its statement");
        }
        return switch (formula.atom) {
            case Atom.StringIn(var yes, var no) -> atom(new Atom.StringIn(no, yes), elsewhere);
            case Atom.NumberIn(var yes, var no) -> atom(new Atom.NumberIn(no, yes), elsewhere);
            case Atom.AllProperties(var keys, var value) ->
                    atom(new Atom.SomeProperty(keys, not(value)), elsewhere);
            case Atom.SomeProperty(var keys, var value) ->
                    atom(new Atom.AllProperties(keys, not(value)), elsewhere);
            case Atom.AllItems(int from, int to, var value) ->
                    atom(new Atom.SomeItem(from, to, not(value)), elsewhere);
            case Atom.SomeItem(int from, int to, var value) ->
                    atom(new Atom.AllItems(from, to, not(value)), elsewhere);
            case Atom.Needs(var key, var needed) ->
                    and(
                            atom(new Atom.SomeProperty(names(key), anything), elsewhere),
                            atom(new Atom.AllProperties(names(needed), nothing), elsewhere));
            case Atom.PropertyCount(int min, int max) -> {
                List<Atom> outside = new ArrayList<>();
                if (min > 0) {
                    outside.add(new Atom.PropertyCount(0, min - 1));
                }
                if (max < Atom.UNBOUNDED) {
                    outside.add(new Atom.PropertyCount(max + 1, Atom.UNBOUNDED));
                }
                yield anyOf(outside, elsewhere, Types.OBJECT);
            }
            case Atom.ItemCount(int min, int max) -> {
                List<Atom> outside = new ArrayList<>();
                if (min > 0) {
                    outside.add(new Atom.ItemCount(0, min - 1));
                }
                if (max < Atom.UNBOUNDED) {
                    outside.add(new Atom.ItemCount(max + 1, Atom.UNBOUNDED));
                }
                yield anyOf(outside, elsewhere, Types.ARRAY);
            }
            case Atom.Contains(var value, int min, int max) -> {
                List<Atom> outside = new ArrayList<>();
                if (min > 0) {
                    outside.add(new Atom.Contains(value, 0, min - 1));
                }
                if (max < Atom.UNBOUNDED) {
                    outside.add(new Atom.Contains(value, max + 1, Atom.UNBOUNDED));
                }
                yield anyOf(outside, elsewhere, Types.ARRAY);
            }
            case Atom.UniqueItems() -> atom(new Atom.RepeatedItem(), elsewhere);
            case Atom.RepeatedItem() -> atom(new Atom.UniqueItems(), elsewhere);
        };
    }

    private Formula anyOf(List<Atom> atoms, boolean elsewhere, int type) {
        if (atoms.isEmpty()) {
            return elsewhere ? types(Types.ALL & ~type) : nothing;
        }
        return or(atoms.stream().map(atom -> atom(atom, elsewhere)).toList());
    }

    KeySet names(String... names) {
        return new KeySet(new TreeSet<>(List.of(names)), true, regexes.nothing());
    }

    KeySet except(Set<String> names, Regex body) {
        return new KeySet(new TreeSet<>(names), false, body);
    }

    KeySet matching(Regex body) {
        return except(Set.of(), body);
    }

    boolean contains(KeySet keys, String key) {
        if (keys.isNames() || keys.names().contains(key)) {
            return keys.isNames() && keys.names().contains(key);
        }
        return keys.body() == text.text() || regexes.matches(keys.body(), JsonText.written(key));
    }

    /** Exactly one of these values. */
    Formula oneOf(Collection<Object> values) {
        int types = 0;
        List<String> strings = new ArrayList<>();
        Set<BigDecimal> numbersHere = new LinkedHashSet<>();
        List<Formula> options = new ArrayList<>();
        for (Object value : new LinkedHashSet<>(values)) {
            switch (value) {
                case Boolean b -> types |= b ? Types.TRUE : Types.FALSE;
                case String string -> {
                    // A lone surrogate cannot be written.
                    if (JsonText.isText(string)) {
                        strings.add(string);
                    }
                }
                case BigDecimal number -> numbersHere.add(number);
                case List<?> items -> options.add(array(items));
                case Map<?, ?> members -> options.add(object(members));
                default -> types |= Types.NULL;
            }
        }
        options.add(types(types));
        if (!strings.isEmpty()) {
            Regex body = text.oneOf(strings);
            Atom atom = new Atom.StringIn(body, text.except(body));
            options.add(and(types(Types.STRING), atom(atom)));
        }
        if (!numbersHere.isEmpty()) {
            Atom atom = new Atom.NumberIn(numbers.oneOf(numbersHere), numbers.noneOf(numbersHere));
            options.add(and(types(Types.NUMBER), atom(atom)));
        }
        return or(options);
    }

    private Formula array(List<?> items) {
        List<Formula> parts = new ArrayList<>();
        parts.add(types(Types.ARRAY));
        parts.add(atom(new Atom.ItemCount(items.size(), items.size())));
        for (int i = 0; i < items.size(); i++) {
            Object item = items.get(i);
            parts.add(atom(new Atom.AllItems(i, i + 1, oneOf(List.of(item)))));
        }
        return and(parts);
    }

    private Formula object(Map<?, ?> members) {
        List<Formula> parts = new ArrayList<>();
        parts.add(types(Types.OBJECT));
        Set<String> keys = new TreeSet<>();
        for (var member : members.entrySet()) {
            String key = String.valueOf(member.getKey());
            Object value = member.getValue();
            keys.add(key);
            parts.add(atom(new Atom.SomeProperty(names(key), anything)));
            parts.add(atom(new Atom.AllProperties(names(key), oneOf(List.of(value)))));
        }
        parts.add(atom(new Atom.AllProperties(except(keys, text.text()), nothing)));
        return and(parts);
    }
}
