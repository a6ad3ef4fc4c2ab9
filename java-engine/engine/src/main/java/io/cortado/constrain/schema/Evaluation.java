package io.cortado.constrain.schema;

import io.cortado.constrain.Regex;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import tools.jackson.databind.JsonNode;

/**
 * {@code unevaluatedProperties} and {@code unevaluatedItems}: a schema as alternatives, each of
 * which says which branches hold and therefore which properties and items they have evaluated. That
 * other branches may hold too does no harm: they would only evaluate more.
 */
final class Evaluation {
    private static final int MAX_CASES = 4_096;
    private static final int MAX_DEPTH = 100;

    /**
     * One way for a value to satisfy a schema.
     *
     * @param names of properties evaluated
     * @param bodies of keys of properties evaluated, by pattern
     * @param allKeys whether all properties are
     * @param numItems how many items are, from the first
     * @param such items that satisfy one of these are evaluated wherever they are
     */
    private record Case(
            Formula formula,
            Set<String> names,
            Set<Regex> bodies,
            boolean allKeys,
            int numItems,
            Set<Formula> such) {}

    private final SchemaReader reader;
    private final Formulas formulas;
    private int depth;

    Evaluation(SchemaReader reader) {
        this.reader = reader;
        formulas = reader.formulas();
    }

    /** Whether a schema asks what was evaluated. */
    static boolean isNeeded(SchemaUse use) {
        JsonNode node = use.place.node();
        return !use.place.dialect().draft().isBefore(Draft.DRAFT_2019_09)
                && (node.has("unevaluatedProperties") || node.has("unevaluatedItems"));
    }

    Formula formula(SchemaUse use) {
        return formulas.or(cases(use).stream().map(Case::formula).toList());
    }

    private List<Case> cases(SchemaUse use) {
        Place place = use.place;
        JsonNode node = place.node();
        if (!node.isObject()) {
            return List.of(plain(reader.read(use)));
        }
        if (++depth > MAX_DEPTH) {
            throw place.unsupported(
                    "", "references lead back here where unevaluated* asks about them");
        }
        List<Case> cases = List.of(own(use));
        SchemaUse target = reader.reference(use);
        if (target != null) {
            cases = both(place, cases, cases(target));
        }
        SchemaUse dynamic = reader.dynamicReference(use);
        if (dynamic != null) {
            cases = both(place, cases, cases(dynamic));
        }
        cases = combinations(use, cases);
        cases = conditions(use, cases);
        depth--;
        return asked(use, cases);
    }

    private static Case plain(Formula formula) {
        return new Case(formula, Set.of(), Set.of(), false, 0, Set.of());
    }

    private Case own(SchemaUse use) {
        Place place = use.place;
        JsonNode node = place.node();
        Set<String> names = new TreeSet<>();
        List<Regex> bodies = new ArrayList<>();
        reader.keywords().evaluated(place, names, bodies);
        String list = ItemKeywords.prefixKeyword(place);
        int numItems = node.path(list).size();
        if (!ItemKeywords.restKeyword(place).isEmpty()) {
            numItems = Atom.UNBOUNDED;
        }
        Set<Formula> such = new LinkedHashSet<>();
        if (node.has("contains") && place.dialect().draft() == Draft.DRAFT_2020_12) {
            such.add(reader.sub(use, place.child("contains")));
        }
        boolean allKeys = node.has("additionalProperties");
        return new Case(
                reader.own(use), names, new LinkedHashSet<>(bodies), allKeys, numItems, such);
    }

    private List<Case> combinations(SchemaUse use, List<Case> before) {
        Place place = use.place;
        JsonNode node = place.node();
        List<Case> cases = before;
        for (int i = 0; i < node.path("allOf").size(); i++) {
            cases = both(place, cases, branch(use, place.child("allOf", i)));
        }
        if (node.has("anyOf")) {
            cases = both(place, cases, someOf(use));
        }
        if (node.has("oneOf")) {
            List<Formula> options = reader.list(use, "oneOf");
            List<Case> one = new ArrayList<>();
            for (int i = 0; i < options.size(); i++) {
                List<Formula> others = new ArrayList<>();
                for (int j = 0; j < options.size(); j++) {
                    if (j != i) {
                        others.add(formulas.not(options.get(j)));
                    }
                }
                List<Case> rest = List.of(plain(formulas.and(others)));
                one.addAll(both(place, branch(use, place.child("oneOf", i)), rest));
            }
            cases = both(place, cases, one);
        }
        if (node.has("not")) {
            Formula not = formulas.not(reader.sub(use, place.child("not")));
            cases = both(place, cases, List.of(plain(not)));
        }
        return cases;
    }

    /** Any of the branches, and which of them. */
    private List<Case> someOf(SchemaUse use) {
        Place place = use.place;
        List<Case> none = List.of(plain(formulas.anything));
        List<Case> without = none;
        List<Case> with = List.of();
        for (int i = 0; i < reader.list(use, "anyOf").size(); i++) {
            List<Case> branch = branch(use, place.child("anyOf", i));
            List<Case> all = new ArrayList<>(with);
            all.addAll(both(place, with, branch));
            all.addAll(both(place, without, branch));
            with = distinct(place, all);
        }
        return with;
    }

    private List<Case> conditions(SchemaUse use, List<Case> before) {
        Place place = use.place;
        JsonNode node = place.node();
        List<Case> cases = before;
        if (node.has("if")) {
            Formula test = reader.sub(use, place.child("if"));
            List<Case> yes = branch(use, place.child("if"));
            if (node.has("then")) {
                yes = both(place, yes, branch(use, place.child("then")));
            }
            List<Case> no = List.of(plain(formulas.not(test)));
            if (node.has("else")) {
                no = both(place, no, branch(use, place.child("else")));
            }
            cases = both(place, cases, either(place, yes, no));
        }
        for (Map.Entry<String, Place> entry : dependents(place).entrySet()) {
            Formula has = reader.keywords().objectWith(entry.getKey());
            List<Case> no = List.of(plain(formulas.not(has)));
            List<Case> yes = both(place, List.of(plain(has)), branch(use, entry.getValue()));
            cases = both(place, cases, either(place, yes, no));
        }
        return cases;
    }

    private static Map<String, Place> dependents(Place place) {
        Map<String, Place> schemas = new LinkedHashMap<>();
        for (String keyword : List.of("dependentSchemas", "dependencies")) {
            for (var entry : place.node().path(keyword).properties()) {
                if (!entry.getValue().isArray()) {
                    schemas.put(entry.getKey(), place.child(keyword, entry.getKey()));
                }
            }
        }
        return schemas;
    }

    private List<Case> branch(SchemaUse use, Place place) {
        return cases(reader.use(place, use.scope));
    }

    private List<Case> either(Place place, List<Case> a, List<Case> b) {
        List<Case> all = new ArrayList<>(a);
        all.addAll(b);
        return distinct(place, all);
    }

    private List<Case> both(Place place, List<Case> a, List<Case> b) {
        List<Case> all = new ArrayList<>();
        for (Case x : a) {
            for (Case y : b) {
                Formula formula = formulas.and(x.formula, y.formula);
                if (formula != formulas.nothing) {
                    all.add(
                            new Case(
                                    formula,
                                    union(x.names, y.names),
                                    union(x.bodies, y.bodies),
                                    x.allKeys || y.allKeys,
                                    Math.max(x.numItems, y.numItems),
                                    union(x.such, y.such)));
                }
            }
        }
        return distinct(place, all);
    }

    private static List<Case> distinct(Place place, List<Case> cases) {
        List<Case> distinct = List.copyOf(new LinkedHashSet<>(cases));
        if (distinct.size() > MAX_CASES) {
            throw place.limit("", "unevaluated* has more cases than allowed: limit=" + MAX_CASES);
        }
        return distinct;
    }

    private static <T> Set<T> union(Set<T> a, Set<T> b) {
        if (b.isEmpty()) {
            return a;
        }
        Set<T> union = new LinkedHashSet<>(a);
        union.addAll(b);
        return union;
    }

    /** What the schema says of what is left, if it does. */
    private List<Case> asked(SchemaUse use, List<Case> before) {
        Place place = use.place;
        boolean asksKeys = place.node().has("unevaluatedProperties");
        boolean asksItems = place.node().has("unevaluatedItems");
        if (!isNeeded(use)) {
            return before;
        }
        List<Case> cases = new ArrayList<>();
        for (Case one : before) {
            Formula formula = one.formula;
            if (asksKeys && !one.allKeys) {
                Formula rest = reader.sub(use, place.child("unevaluatedProperties"));
                KeySet keys = reader.keywords().except(one.names, List.copyOf(one.bodies));
                formula = formulas.and(formula, formulas.atom(new Atom.AllProperties(keys, rest)));
            }
            if (asksItems) {
                Formula rest = reader.sub(use, place.child("unevaluatedItems"));
                Formula item = formulas.or(rest, formulas.or(one.such));
                Atom all = new Atom.AllItems(one.numItems, Atom.UNBOUNDED, item);
                formula = formulas.and(formula, formulas.atom(all));
            }
            cases.add(
                    new Case(
                            formula,
                            one.names,
                            one.bodies,
                            one.allKeys || asksKeys,
                            asksItems ? Atom.UNBOUNDED : one.numItems,
                            one.such));
        }
        return cases;
    }
}
