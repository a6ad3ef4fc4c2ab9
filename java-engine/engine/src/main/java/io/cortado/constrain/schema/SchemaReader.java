package io.cortado.constrain.schema;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * Reads schemas into formulas: references and what combines schemas; the rest is {@link Keywords}.
 */
final class SchemaReader {
    private static final int MAX_USES = 200_000;

    /** Each of a list that exactly one of must hold excludes all others. */
    private static final int MAX_OPTIONS = 500;

    private record Key(Place place, Scope scope) {}

    private final Formulas formulas;
    private final Documents documents;
    private final Keywords keywords;
    private final Map<Key, SchemaUse> uses = new HashMap<>();
    private final List<SchemaUse> unread = new ArrayList<>();

    SchemaReader(Formulas formulas, Documents documents, SchemaOptions options) {
        this.formulas = formulas;
        this.documents = documents;
        keywords = new Keywords(formulas, this, options);
    }

    /** The formula of a whole schema; all that it refers to is read, so that errors show here. */
    Formula readAll(JsonNode schema) {
        Formula root = formulas.schema(use(documents.root(schema), Scope.NONE));
        while (!unread.isEmpty()) {
            unread.removeLast().formula();
        }
        var references = new InPlaceReferences();
        uses.values().forEach(references::check);
        return root;
    }

    Formulas formulas() {
        return formulas;
    }

    SchemaUse use(Place named, Scope scope) {
        Place place = documents.placed(named);
        Scope inner = scope.within(place.resource());
        return uses.computeIfAbsent(
                new Key(place, inner),
                key -> {
                    if (uses.size() >= MAX_USES) {
                        throw place.limit("", "too many schemas: limit=" + MAX_USES);
                    }
                    var use = new SchemaUse(place, inner, this);
                    unread.add(use);
                    return use;
                });
    }

    /** A schema below another one. */
    Formula sub(SchemaUse use, Place place) {
        JsonNode node = place.node();
        if (node.isBoolean()) {
            return node.booleanValue() ? formulas.anything : formulas.nothing;
        }
        return formulas.schema(use(place, use.scope));
    }

    Formula read(SchemaUse use) {
        Place place = use.place;
        JsonNode node = place.node();
        if (node.isBoolean()) {
            return node.booleanValue() ? formulas.anything : formulas.nothing;
        }
        if (!node.isObject()) {
            throw place.syntax("", "a schema must be an object or a boolean");
        }
        if (Evaluation.isNeeded(use)) {
            return new Evaluation(this).formula(use);
        }
        List<Formula> parts = new ArrayList<>();
        SchemaUse target = reference(use);
        if (target != null) {
            parts.add(formulas.schema(target));
        }
        if (hidesSiblings(place)) {
            return formulas.and(parts);
        }
        SchemaUse dynamic = dynamicReference(use);
        if (dynamic != null) {
            parts.add(formulas.schema(dynamic));
        }
        parts.add(keywords.formula(use));
        addCombinations(use, parts);
        return formulas.and(parts);
    }

    /** What the keywords say that do not apply schemas to the value itself. */
    Formula own(SchemaUse use) {
        return keywords.formula(use);
    }

    Keywords keywords() {
        return keywords;
    }

    /** Whether {@code $ref} makes the keywords beside it mean nothing. */
    static boolean hidesSiblings(Place place) {
        return place.dialect().draft().isBefore(Draft.DRAFT_2019_09)
                && place.node().path("$ref").isString();
    }

    @Nullable SchemaUse reference(SchemaUse use) {
        return reference(use, "$ref");
    }

    private @Nullable SchemaUse reference(SchemaUse use, String keyword) {
        JsonNode reference = use.place.node().path(keyword);
        if (reference.isMissingNode()) {
            return null;
        }
        if (!reference.isString()) {
            throw use.place.syntax(keyword, keyword + " must be a string");
        }
        return use(documents.find(use.place, keyword, reference.stringValue()), use.scope);
    }

    @Nullable SchemaUse dynamicReference(SchemaUse use) {
        Draft draft = use.place.dialect().draft();
        if (draft == Draft.DRAFT_2019_09) {
            SchemaUse target = reference(use, "$recursiveRef");
            if (target == null || !target.place.node().path("$recursiveAnchor").asBoolean(false)) {
                return target;
            }
            Place outermost = use.scope.anchors().get("");
            return outermost == null ? target : use(outermost, use.scope);
        }
        if (draft != Draft.DRAFT_2020_12) {
            return null;
        }
        SchemaUse target = reference(use, "$dynamicRef");
        if (target == null) {
            return null;
        }
        String text = use.place.node().path("$dynamicRef").stringValue();
        String name = text.substring(text.indexOf('#') + 1);
        JsonNode anchor = target.place.node().path("$dynamicAnchor");
        boolean isDynamic = anchor.isString() && anchor.stringValue().equals(name);
        Place outermost = isDynamic ? use.scope.anchors().get(name) : null;
        return outermost == null ? target : use(outermost, use.scope);
    }

    private void addCombinations(SchemaUse use, List<Formula> parts) {
        JsonNode node = use.place.node();
        if (node.has("allOf")) {
            parts.addAll(list(use, "allOf"));
        }
        if (node.has("anyOf")) {
            parts.add(formulas.or(list(use, "anyOf")));
        }
        if (node.has("oneOf")) {
            parts.add(exactlyOne(list(use, "oneOf")));
        }
        if (node.has("not")) {
            parts.add(formulas.not(sub(use, use.place.child("not"))));
        }
        if (node.has("if") && !use.place.dialect().draft().isBefore(Draft.DRAFT_7)) {
            Formula test = sub(use, use.place.child("if"));
            Formula yes = optional(use, "then");
            Formula no = optional(use, "else");
            parts.add(formulas.or(formulas.not(test), yes));
            parts.add(formulas.or(test, no));
        }
        dependentSchemas(use)
                .forEach((key, then) ->
                        parts.add(formulas.or(formulas.not(keywords.objectWith(key)), then)));
    }

    private Formula optional(SchemaUse use, String keyword) {
        return use.place.node().has(keyword)
                ? sub(use, use.place.child(keyword))
                : formulas.anything;
    }

    /** Schemas that apply where a property is there. */
    Map<String, Formula> dependentSchemas(SchemaUse use) {
        Map<String, Formula> schemas = new HashMap<>();
        for (String keyword : List.of("dependentSchemas", "dependencies")) {
            if (!use.place.node().has(keyword)) {
                continue;
            }
            if (keyword.equals("dependentSchemas")
                    && use.place.dialect().draft().isBefore(Draft.DRAFT_2019_09)) {
                continue;
            }
            JsonNode map = keywords.object(use.place, keyword);
            for (var entry : map.properties()) {
                JsonNode value = entry.getValue();
                if (value.isObject() || value.isBoolean()) {
                    Formula schema = sub(use, use.place.child(keyword, entry.getKey()));
                    schemas.merge(entry.getKey(), schema, formulas::and);
                } else if (keyword.equals("dependentSchemas")) {
                    throw use.place
                            .child(keyword, entry.getKey())
                            .syntax("", "a schema must be an object or a boolean");
                }
            }
        }
        return schemas;
    }

    List<Formula> list(SchemaUse use, String keyword) {
        JsonNode node = use.place.node().path(keyword);
        if (!node.isArray() || node.isEmpty()) {
            throw use.place.syntax(keyword, keyword + " must be a list of schemas, not empty");
        }
        if (keyword.equals("oneOf") && node.size() > MAX_OPTIONS) {
            throw use.place.limit(
                    keyword,
                    "oneOf must not have more schemas than allowed: schemas="
                            + node.size()
                            + " limit="
                            + MAX_OPTIONS);
        }
        List<Formula> all = new ArrayList<>();
        for (int i = 0; i < node.size(); i++) {
            all.add(sub(use, use.place.child(keyword, i)));
        }
        return all;
    }

    private Formula exactlyOne(List<Formula> options) {
        if (options.size() == 1) {
            return options.getFirst();
        }
        Set<Formula> distinct = new HashSet<>(options);
        List<Formula> cases = new ArrayList<>();
        for (int i = 0; i < options.size(); i++) {
            List<Formula> parts = new ArrayList<>();
            parts.add(options.get(i));
            for (int j = 0; j < options.size(); j++) {
                if (j != i) {
                    parts.add(formulas.not(options.get(j)));
                }
            }
            cases.add(formulas.and(parts));
        }
        return distinct.size() == 1 ? formulas.nothing : formulas.or(cases);
    }
}
