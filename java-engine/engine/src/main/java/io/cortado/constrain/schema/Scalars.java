package io.cortado.constrain.schema;

import io.cortado.constrain.Regex;
import io.cortado.constrain.Regexes;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/** What a formula says of the values that are one lexeme. */
final class Scalars {
    private static final int[] WORDS = {Types.NULL, Types.FALSE, Types.TRUE};
    private static final String[] TEXTS = {"null", "false", "true"};

    private record Typed(Formula formula, int type) {}

    private final Formulas formulas;
    private final Regexes regexes;
    private final Map<Formula, Regex> strings = new HashMap<>();
    private final Map<Formula, NumberSet> numbers = new HashMap<>();
    private final Map<Typed, Formula> restricted = new HashMap<>();
    private final Map<Formula, Regex> written = new HashMap<>();

    Scalars(Formulas formulas) {
        this.formulas = formulas;
        regexes = formulas.regexes;
    }

    /** How the scalars are written that satisfy it. */
    Regex written(Formula formula) {
        Regex known = written.get(formula);
        if (known == null) {
            List<Regex> forms = new ArrayList<>();
            for (int i = 0; i < WORDS.length; i++) {
                if (has(formula, WORDS[i])) {
                    forms.add(regexes.literal(TEXTS[i]));
                }
            }
            forms.add(formulas.numbers.written(number(formula)));
            Regex quote = regexes.literal("\"");
            forms.add(regexes.concat(List.of(quote, string(formula), quote)));
            known = regexes.or(forms);
            written.put(formula, known);
        }
        return known;
    }

    /** Whether a value that is a type of its own satisfies it. */
    boolean has(Formula formula, int type) {
        return restricted(formula, type) == formulas.anything;
    }

    /** The bodies of the strings that satisfy it. */
    Regex string(Formula formula) {
        Regex known = strings.get(formula);
        if (known == null) {
            Formula only = restricted(formula, Types.STRING);
            known =
                    switch (only.kind) {
                        case TYPES -> only.types == 0 ? regexes.nothing() : formulas.text.text();
                        case AND -> regexes.and(only.parts.stream().map(this::string).toList());
                        case OR -> regexes.or(only.parts.stream().map(this::string).toList());
                        case ATOM -> {
                            if (only.atom instanceof Atom.StringIn(var yes, var no)) {
                                yield yes;
                            }
                            throw new IllegalStateException("not of strings: " + only);
                        }
                        case SCHEMA -> throw new IllegalStateException("not read: " + only);
                    };
            strings.put(formula, known);
        }
        return known;
    }

    NumberSet number(Formula formula) {
        NumberSet known = numbers.get(formula);
        if (known == null) {
            Formula only = restricted(formula, Types.NUMBER);
            Numbers all = formulas.numbers;
            known =
                    switch (only.kind) {
                        case TYPES -> only.types == 0 ? all.none : all.any;
                        case AND -> only.parts.stream().map(this::number).reduce(all.any, all::and);
                        case OR -> only.parts.stream().map(this::number).reduce(all.none, all::or);
                        case ATOM -> {
                            if (only.atom instanceof Atom.NumberIn(var yes, var no)) {
                                yield yes;
                            }
                            throw new IllegalStateException("not of numbers: " + only);
                        }
                        case SCHEMA -> throw new IllegalStateException("not read: " + only);
                    };
            numbers.put(formula, known);
        }
        return known;
    }

    /** What it says of values of one type: a combination of atoms of that type. */
    Formula restricted(Formula formula, int type) {
        switch (formula.kind) {
            case TYPES -> {
                return (formula.types & type) != 0 ? formulas.anything : formulas.nothing;
            }
            case ATOM -> {
                if (formula.atom != null && formula.atom.type() == type) {
                    return formulas.atom(formula.atom);
                }
                return formula.holdsElsewhere ? formulas.anything : formulas.nothing;
            }
            case AND, OR, SCHEMA -> {}
        }
        var key = new Typed(formula, type);
        Formula known = restricted.get(key);
        if (known != null) {
            return known;
        }
        known =
                switch (formula.kind) {
                    case AND -> formulas.and(restrictedAll(formula, type));
                    case OR -> formulas.or(restrictedAll(formula, type));
                    default -> restricted(formulas.read(formula), type);
                };
        restricted.put(key, known);
        return known;
    }

    private List<Formula> restrictedAll(Formula formula, int type) {
        List<Formula> parts = new ArrayList<>(formula.parts.size());
        for (Formula part : formula.parts) {
            parts.add(restricted(part, type));
        }
        return parts;
    }

    /** The strings whose bodies these are; null if there are more than {@code limit}. */
    @Nullable Set<String> strings(Regex body, int limit) {
        if (body == formulas.text.text()) {
            return null;
        }
        List<byte[]> all = regexes.all(body, limit);
        if (all == null) {
            return null;
        }
        Set<String> strings = new TreeSet<>();
        all.forEach(bytes -> strings.add(decoded(bytes, 0, bytes.length)));
        return strings;
    }

    /** The string that a body stands for. */
    static String decoded(byte[] bytes, int from, int to) {
        var quoted = new byte[to - from + 2];
        quoted[0] = '"';
        System.arraycopy(bytes, from, quoted, 1, to - from);
        quoted[quoted.length - 1] = '"';
        return Json.parse(quoted).stringValue();
    }

    /** The scalars that satisfy it; null if there are more than {@code limit}. */
    @Nullable Set<Object> values(Formula formula, int limit) {
        Set<Object> values = new HashSet<>();
        for (int i = 0; i < WORDS.length; i++) {
            if (has(formula, WORDS[i])) {
                values.add(Json.value(Json.parse(TEXTS[i])));
            }
        }
        Set<String> few = strings(string(formula), limit);
        Regex canonical = formulas.numbers.canonical(number(formula));
        List<byte[]> fewNumbers = regexes.all(canonical, limit);
        if (few == null || fewNumbers == null) {
            return null;
        }
        values.addAll(few);
        fewNumbers.forEach(text -> values.add(Json.value(Json.parse(text))));
        return values.size() > limit ? null : values;
    }
}
