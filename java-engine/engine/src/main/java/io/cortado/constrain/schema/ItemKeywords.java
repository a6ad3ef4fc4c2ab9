package io.cortado.constrain.schema;

import java.util.List;
import tools.jackson.databind.JsonNode;

/** The keywords about the items of arrays. */
final class ItemKeywords {
    private final Formulas formulas;
    private final SchemaReader reader;
    private final Keywords keywords;

    ItemKeywords(Formulas formulas, SchemaReader reader, Keywords keywords) {
        this.formulas = formulas;
        this.reader = reader;
        this.keywords = keywords;
    }

    void add(SchemaUse use, List<Formula> parts) {
        Place place = use.place;
        JsonNode node = place.node();
        String list = prefixKeyword(place);
        int prefix = 0;
        if (node.has(list)) {
            JsonNode items = node.path(list);
            if (!items.isArray()) {
                throw place.syntax(list, list + " must be a list of schemas");
            }
            prefix = items.size();
            for (int i = 0; i < prefix; i++) {
                Formula item = reader.sub(use, place.child(list, i));
                parts.add(formulas.atom(new Atom.AllItems(i, i + 1, item)));
            }
        }
        String rest = restKeyword(place);
        if (!rest.isEmpty()) {
            Formula item = reader.sub(use, place.child(rest));
            parts.add(formulas.atom(new Atom.AllItems(prefix, Atom.UNBOUNDED, item)));
        }
        addContains(use, parts);
        JsonNode unique = node.path("uniqueItems");
        if (!unique.isMissingNode() && place.dialect().validates()) {
            if (!unique.isBoolean()) {
                throw place.syntax("uniqueItems", "uniqueItems must be a boolean");
            }
            if (unique.booleanValue()) {
                parts.add(formulas.atom(new Atom.UniqueItems()));
            }
        }
    }

    private void addContains(SchemaUse use, List<Formula> parts) {
        Place place = use.place;
        if (!place.node().has("contains") || place.dialect().draft().isBefore(Draft.DRAFT_6)) {
            return;
        }
        boolean hasCounts = !place.dialect().draft().isBefore(Draft.DRAFT_2019_09);
        int min = hasCounts ? keywords.count(place, "minContains", 1) : 1;
        int max = hasCounts ? keywords.count(place, "maxContains", Atom.UNBOUNDED) : Atom.UNBOUNDED;
        if (min > max) {
            parts.add(formulas.types(Types.ALL & ~Types.ARRAY));
            return;
        }
        Formula such = reader.sub(use, place.child("contains"));
        parts.add(formulas.atom(new Atom.Contains(such, min, max)));
    }

    /** The keyword that lists schemas by index: as a list, items means what it did before 2020. */
    static String prefixKeyword(Place place) {
        boolean isNew = place.dialect().draft() == Draft.DRAFT_2020_12;
        return isNew && !place.node().path("items").isArray() ? "prefixItems" : listed(place);
    }

    private static String listed(Place place) {
        return place.node().path("items").isArray() ? "items" : "";
    }

    /** The keyword for the items after those; empty where there is none. */
    static String restKeyword(Place place) {
        JsonNode node = place.node();
        if (node.path("items").isArray()) {
            return node.has("additionalItems") ? "additionalItems" : "";
        }
        return node.has("items") ? "items" : "";
    }
}
