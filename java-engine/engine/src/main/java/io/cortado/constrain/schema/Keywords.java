package io.cortado.constrain.schema;

import io.cortado.constrain.GrammarException;
import io.cortado.constrain.Regex;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import tools.jackson.databind.JsonNode;

/** The keywords that say something by themselves, or of properties and items. */
final class Keywords {
    private static final int MAX_NAMES = 256;

    private final Formulas formulas;
    private final SchemaReader reader;
    private final SchemaOptions options;
    private final Formats formats;
    private final Scalars scalars;
    private final Map<String, Regex> patterns = new HashMap<>();

    Keywords(Formulas formulas, SchemaReader reader, SchemaOptions options) {
        this.formulas = formulas;
        this.reader = reader;
        this.options = options;
        formats = new Formats(formulas);
        scalars = new Scalars(formulas);
    }

    Formula formula(SchemaUse use) {
        List<Formula> parts = new ArrayList<>();
        Place place = use.place;
        try {
            if (place.dialect().validates()) {
                addGeneral(place, parts);
                addNumbers(place, parts);
                addStrings(place, parts);
                addCounts(place, parts);
            }
            addFormat(place, parts);
            addProperties(use, parts);
            new ItemKeywords(formulas, reader, this).add(use, parts);
        } catch (GrammarException e) {
            if (e.position().startsWith("/")) {
                throw e;
            }
            throw new GrammarException(
                    e.reason(), place.pointer(), e.getMessage() == null ? "" : e.getMessage());
        }
        return formulas.and(parts);
    }

    private void addGeneral(Place place, List<Formula> parts) {
        JsonNode node = place.node();
        if (node.has("type")) {
            parts.add(type(place, node.path("type")));
        }
        if (node.has("enum")) {
            JsonNode values = node.path("enum");
            if (!values.isArray()) {
                throw place.syntax("enum", "enum must be a list");
            }
            List<Object> all = new ArrayList<>(values.size());
            values.forEach(value -> all.add(Json.value(value)));
            parts.add(formulas.oneOf(all));
        }
        if (node.has("const") && !place.dialect().draft().isBefore(Draft.DRAFT_6)) {
            parts.add(formulas.oneOf(List.of(Json.value(node.path("const")))));
        }
    }

    private Formula type(Place place, JsonNode type) {
        if (type.isString()) {
            return oneType(place, type.stringValue());
        }
        if (!type.isArray() || type.isEmpty()) {
            throw place.syntax("type", "type must be a name or a list of names: type=" + type);
        }
        List<Formula> any = new ArrayList<>();
        for (JsonNode name : type) {
            if (!name.isString()) {
                throw place.syntax("type", "type must be a name or a list of names: type=" + type);
            }
            any.add(oneType(place, name.stringValue()));
        }
        return formulas.or(any);
    }

    private Formula oneType(Place place, String name) {
        return switch (name) {
            case "null" -> formulas.types(Types.NULL);
            case "boolean" -> formulas.types(Types.BOOLEAN);
            case "string" -> formulas.types(Types.STRING);
            case "number" -> formulas.types(Types.NUMBER);
            case "array" -> formulas.types(Types.ARRAY);
            case "object" -> formulas.types(Types.OBJECT);
            case "integer" -> {
                boolean byForm = place.dialect().draft() == Draft.DRAFT_4;
                Numbers numbers = formulas.numbers;
                Atom atom = new Atom.NumberIn(numbers.integers(byForm), numbers.fractions(byForm));
                yield formulas.and(formulas.types(Types.NUMBER), formulas.atom(atom));
            }
            default -> throw place.syntax("type", "no type has this name: type=" + name);
        };
    }

    private void addNumbers(Place place, List<Formula> parts) {
        bound(place, "minimum", "exclusiveMinimum", true, parts);
        bound(place, "maximum", "exclusiveMaximum", false, parts);
        String keyword = "multipleOf";
        JsonNode divisor = place.node().path(keyword);
        if (!divisor.isMissingNode()) {
            if (!divisor.isNumber() || Json.number(divisor).signum() <= 0) {
                throw place.syntax(keyword, keyword + " must be a positive number");
            }
            BigDecimal value = Json.number(divisor);
            Numbers numbers = formulas.numbers;
            try {
                NumberSet multiples = numbers.multiples(value);
                NumberSet others = numbers.notMultiples(value);
                parts.add(formulas.atom(new Atom.NumberIn(multiples, others)));
            } catch (GrammarException e) {
                throw moved(place, keyword, e);
            }
        }
    }

    private void bound(
            Place place, String plain, String strict, boolean isLow, List<Formula> parts) {
        JsonNode node = place.node();
        // Draft 4 has a flag; the same is meant where it stands in a later one.
        boolean isFlagged = node.path(strict).isBoolean();
        if (node.has(plain)) {
            boolean isStrict = isFlagged && node.path(strict).booleanValue();
            parts.add(bound(place, plain, isLow, isStrict));
        }
        if (node.has(strict) && !isFlagged) {
            parts.add(bound(place, strict, isLow, true));
        }
    }

    private Formula bound(Place place, String keyword, boolean isLow, boolean isStrict) {
        JsonNode node = place.node().path(keyword);
        if (!node.isNumber()) {
            throw place.syntax(keyword, keyword + " must be a number");
        }
        BigDecimal value = Json.number(node);
        Numbers numbers = formulas.numbers;
        NumberSet low = numbers.atLeast(value, isStrict == isLow);
        NumberSet high = numbers.atMost(value, isStrict != isLow);
        return formulas.atom(isLow ? new Atom.NumberIn(low, high) : new Atom.NumberIn(high, low));
    }

    private void addStrings(Place place, List<Formula> parts) {
        JsonNode node = place.node();
        int min = count(place, "minLength", 0);
        int max = count(place, "maxLength", Atom.UNBOUNDED);
        if (min > max) {
            parts.add(formulas.types(Types.ALL & ~Types.STRING));
        } else if (min > 0 || max < Atom.UNBOUNDED) {
            parts.add(strings(formulas.text.ofLength(min, max)));
        }
        if (node.has("pattern")) {
            if (!node.path("pattern").isString()) {
                throw place.syntax("pattern", "pattern must be a string");
            }
            Regex body = pattern(place, "pattern", node.path("pattern").stringValue());
            parts.add(strings(body));
        }
    }

    private Formula strings(Regex body) {
        return formulas.atom(new Atom.StringIn(body, formulas.text.except(body)));
    }

    private void addFormat(Place place, List<Formula> parts) {
        JsonNode format = place.node().path("format");
        boolean isEnforced =
                options.formats() == SchemaOptions.Formats.ENFORCED
                        || place.dialect().assertsFormats();
        if (format.isString() && isEnforced) {
            try {
                Atom atom = formats.atom(format.stringValue());
                if (atom != null) {
                    parts.add(formulas.atom(atom));
                }
            } catch (GrammarException e) {
                throw moved(place, "format", e);
            }
        }
    }

    /** The bodies of strings in which a pattern matches. */
    Regex pattern(Place place, String keyword, String pattern) {
        Regex known = patterns.get(pattern);
        if (known == null) {
            try {
                known = formulas.text.search(pattern);
            } catch (GrammarException e) {
                throw moved(place, keyword, e);
            }
            patterns.put(pattern, known);
        }
        return known;
    }

    private static GrammarException moved(Place place, String keyword, GrammarException e) {
        return new GrammarException(e.reason(), place.at(keyword), String.valueOf(e.getMessage()));
    }

    private void addCounts(Place place, List<Formula> parts) {
        addRange(
                count(place, "minProperties", 0),
                count(place, "maxProperties", Atom.UNBOUNDED),
                Types.OBJECT,
                parts);
        addRange(
                count(place, "minItems", 0),
                count(place, "maxItems", Atom.UNBOUNDED),
                Types.ARRAY,
                parts);
        required(place, parts);
        for (String keyword : List.of("dependentRequired", "dependencies")) {
            if (!place.node().has(keyword)) {
                continue;
            }
            for (var entry : object(place, keyword).properties()) {
                Place below = place.child(keyword, entry.getKey());
                JsonNode value = entry.getValue();
                if (value.isArray()) {
                    for (String name : names(below, value)) {
                        parts.add(formulas.atom(new Atom.Needs(entry.getKey(), name)));
                    }
                } else if (value.isString() && keyword.equals("dependencies")) {
                    // As draft 3 had it.
                    String needed = value.stringValue();
                    parts.add(formulas.atom(new Atom.Needs(entry.getKey(), needed)));
                } else if (keyword.equals("dependentRequired")
                        || !value.isObject() && !value.isBoolean()) {
                    throw below.syntax("", "a dependency must be a list of names");
                }
            }
        }
    }

    private void required(Place place, List<Formula> parts) {
        JsonNode required = place.node().path("required");
        if (required.isMissingNode()) {
            return;
        }
        if (!required.isArray()) {
            throw place.syntax("required", "required must be a list of names");
        }
        for (String name : names(place.child("required"), required)) {
            parts.add(has(name));
        }
    }

    private static Set<String> names(Place place, JsonNode list) {
        Set<String> names = new TreeSet<>();
        for (JsonNode name : list) {
            if (!name.isString()) {
                throw place.syntax("", "a name must be a string");
            }
            names.add(name.stringValue());
        }
        return names;
    }

    private void addRange(int min, int max, int type, List<Formula> parts) {
        if (min > max) {
            parts.add(formulas.types(Types.ALL & ~type));
        } else {
            parts.add(
                    formulas.atom(
                            type == Types.OBJECT
                                    ? new Atom.PropertyCount(min, max)
                                    : new Atom.ItemCount(min, max)));
        }
    }

    /** That a value, if it is an object, has a property. */
    Formula has(String key) {
        return formulas.atom(new Atom.SomeProperty(formulas.names(key), formulas.anything));
    }

    /** That a value is an object and has a property. */
    Formula objectWith(String key) {
        return formulas.and(formulas.types(Types.OBJECT), has(key));
    }

    private void addProperties(SchemaUse use, List<Formula> parts) {
        Place place = use.place;
        JsonNode node = place.node();
        if (node.has("properties")) {
            for (var entry : object(place, "properties").properties()) {
                String key = entry.getKey();
                Formula value = reader.sub(use, place.child("properties", key));
                parts.add(formulas.atom(new Atom.AllProperties(formulas.names(key), value)));
            }
        }
        if (node.has("patternProperties")) {
            for (var entry : object(place, "patternProperties").properties()) {
                Regex body =
                        pattern(place.child("patternProperties"), entry.getKey(), entry.getKey());
                Formula value = reader.sub(use, place.child("patternProperties", entry.getKey()));
                parts.add(formulas.atom(new Atom.AllProperties(formulas.matching(body), value)));
            }
        }
        Formula rest = formulas.anything;
        if (node.has("additionalProperties")) {
            rest = reader.sub(use, place.child("additionalProperties"));
        } else if (options.closedObjects() && node.has("properties")) {
            rest = formulas.nothing;
        }
        parts.add(formulas.atom(new Atom.AllProperties(additional(place), rest)));
        if (node.has("propertyNames") && !place.dialect().draft().isBefore(Draft.DRAFT_6)) {
            parts.add(names(reader.sub(use, place.child("propertyNames"))));
        }
    }

    /** That all keys satisfy a formula; few keys are known by their names. */
    private Formula names(Formula names) {
        if (names.use != null) {
            new InPlaceReferences().check(names.use);
        }
        Regex fit = scalars.string(names);
        Set<String> few = scalars.strings(fit, MAX_NAMES);
        KeySet others =
                few != null
                        ? formulas.except(few, formulas.text.text())
                        : formulas.matching(formulas.text.except(fit));
        return formulas.atom(new Atom.AllProperties(others, formulas.nothing));
    }

    /** The keys that neither properties nor patternProperties of a schema speak of. */
    private KeySet additional(Place place) {
        Set<String> names = new TreeSet<>();
        List<Regex> bodies = new ArrayList<>();
        evaluated(place, names, bodies);
        return except(names, bodies);
    }

    void evaluated(Place place, Set<String> names, List<Regex> bodies) {
        JsonNode node = place.node();
        node.path("properties").properties().forEach(entry -> names.add(entry.getKey()));
        for (var entry : node.path("patternProperties").properties()) {
            bodies.add(pattern(place.child("patternProperties"), entry.getKey(), entry.getKey()));
        }
    }

    KeySet except(Set<String> names, List<Regex> bodies) {
        Regex rest =
                bodies.isEmpty()
                        ? formulas.text.text()
                        : formulas.text.except(formulas.regexes.or(bodies));
        return formulas.except(names, rest);
    }

    JsonNode object(Place place, String keyword) {
        JsonNode node = place.node().path(keyword);
        if (!node.isObject()) {
            throw place.syntax(keyword, keyword + " must be an object");
        }
        return node;
    }

    /** A count that is not negative; what no output can reach is no limit. */
    int count(Place place, String keyword, int absent) {
        JsonNode node = place.node().path(keyword);
        if (node.isMissingNode()) {
            return absent;
        }
        if (!node.isNumber()) {
            throw place.syntax(keyword, keyword + " must be a number");
        }
        BigDecimal value = Json.number(node);
        if (value.signum() < 0 || value.scale() > 0) {
            throw place.syntax(
                    keyword, keyword + " must be a whole number of at least 0: " + value);
        }
        BigDecimal limit = BigDecimal.valueOf(Atom.UNBOUNDED);
        if (value.compareTo(limit) >= 0) {
            if (keyword.startsWith("min")) {
                throw place.limit(keyword, keyword + " is more than an output can have");
            }
            return Atom.UNBOUNDED;
        }
        return value.intValueExact();
    }
}
