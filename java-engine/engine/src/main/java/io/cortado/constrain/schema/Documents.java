package io.cortado.constrain.schema;

import io.cortado.constrain.GrammarException;
import io.cortado.constrain.GrammarException.Reason;
import java.net.URI;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/** Finds what references mean: documents, the resources in them, and their anchors. */
final class Documents {
    private static final URI NO_URI = URI.create("schema:/root");

    /** Keywords whose value is a schema, or a list of some. */
    private static final Set<String> SCHEMAS =
            Set.of(
                    "items",
                    "additionalItems",
                    "additionalProperties",
                    "contains",
                    "propertyNames",
                    "not",
                    "if",
                    "then",
                    "else",
                    "unevaluatedItems",
                    "unevaluatedProperties",
                    "contentSchema",
                    "allOf",
                    "anyOf",
                    "oneOf",
                    "prefixItems");

    /** Keywords whose value is an object of schemas. */
    private static final Set<String> MAPS =
            Set.of(
                    "properties",
                    "patternProperties",
                    "dependentSchemas",
                    "dependencies",
                    "$defs",
                    "definitions");

    private final SchemaOptions options;
    private final Map<String, Resource> resources = new HashMap<>();
    private final Map<JsonNode, Resource> byRoot = new IdentityHashMap<>();

    Documents(SchemaOptions options) {
        this.options = options;
    }

    /** The place in the resource that it begins, if it does. */
    Place placed(Place place) {
        Resource own = byRoot.getOrDefault(place.node(), place.resource());
        return new Place(own, place.node(), place.pointer());
    }

    Place root(JsonNode schema) {
        return load(NO_URI, schema).place();
    }

    private Resource load(URI uri, JsonNode document) {
        var outer = new Resource(uri, document, "", Dialect.of(options.draft()));
        Resource resource = indexed(outer, document, "", true);
        resources.putIfAbsent(uri.toString(), resource);
        return resource;
    }

    private Resource indexed(Resource outer, JsonNode document, String pointer, boolean isRoot) {
        Resource first = resourceAt(outer, document, pointer, isRoot);
        var open = new ArrayDeque<Place>();
        open.push(new Place(first, document, pointer));
        while (!open.isEmpty()) {
            Place place = open.pop();
            JsonNode node = place.node();
            if (node.isArray()) {
                for (int i = 0; i < node.size(); i++) {
                    push(open, place, node.path(i), place.pointer() + "/" + i);
                }
            } else if (node.isObject()) {
                addAnchors(place);
                for (var member : node.properties()) {
                    String below = place.at(member.getKey());
                    if (SCHEMAS.contains(member.getKey())) {
                        push(open, place, member.getValue(), below);
                    } else if (MAPS.contains(member.getKey())) {
                        for (var entry : member.getValue().properties()) {
                            String name = below + "/" + Place.escaped(entry.getKey());
                            push(open, place, entry.getValue(), name);
                        }
                    }
                }
            }
        }
        return first;
    }

    private void push(ArrayDeque<Place> open, Place outer, JsonNode node, String pointer) {
        if (node.isContainer()) {
            Resource resource = resourceAt(outer.resource(), node, pointer, false);
            open.push(new Place(resource, node, pointer));
        }
    }

    /** The resource that a schema begins, or else the one it is in. */
    private Resource resourceAt(Resource outer, JsonNode node, String pointer, boolean isRoot) {
        Dialect dialect = dialect(node, outer.dialect, isRoot);
        JsonNode id = node.path(dialect.draft().idKeyword());
        boolean isHidden = dialect.draft().isBefore(Draft.DRAFT_2019_09) && node.has("$ref");
        String name = id.isString() && !isHidden ? withoutFragment(id.stringValue()) : "";
        if (name.isEmpty() && !isRoot) {
            return outer;
        }
        URI uri = name.isEmpty() ? outer.uri : resolved(outer.uri, name, pointer);
        var resource = new Resource(uri, node, pointer, dialect);
        resources.putIfAbsent(uri.toString(), resource);
        byRoot.put(node, resource);
        return resource;
    }

    private Dialect dialect(JsonNode node, Dialect outer, boolean isRoot) {
        JsonNode named = node.path("$schema");
        if (!named.isString()) {
            return outer;
        }
        Draft draft = Draft.of(named.stringValue());
        if (draft != null) {
            return Dialect.of(draft);
        }
        String text = options.documents().get(withoutFragment(named.stringValue()));
        if (text == null) {
            return outer;
        }
        JsonNode meta = parsed(text, named.stringValue());
        Dialect base = dialect(meta, outer, isRoot);
        JsonNode vocabularies = meta.path("$vocabulary");
        if (!vocabularies.isObject()) {
            return base;
        }
        boolean validates = false;
        boolean asserts = false;
        for (var vocabulary : vocabularies.properties()) {
            validates |= vocabulary.getKey().endsWith("/vocab/validation");
            asserts |= vocabulary.getKey().endsWith("/vocab/format-assertion");
        }
        return new Dialect(base.draft(), validates, asserts);
    }

    private static void addAnchors(Place place) {
        JsonNode node = place.node();
        Resource resource = place.resource();
        Draft draft = resource.dialect.draft();
        if (draft.isBefore(Draft.DRAFT_2019_09)) {
            JsonNode id = node.path(draft.idKeyword());
            if (id.isString() && id.stringValue().startsWith("#") && !node.has("$ref")) {
                resource.anchors.putIfAbsent(id.stringValue().substring(1), place);
            }
            return;
        }
        if (node.path("$anchor").isString()) {
            resource.anchors.putIfAbsent(node.path("$anchor").stringValue(), place);
        }
        if (draft == Draft.DRAFT_2020_12 && node.path("$dynamicAnchor").isString()) {
            String name = node.path("$dynamicAnchor").stringValue();
            resource.anchors.putIfAbsent(name, place);
            resource.dynamicAnchors.putIfAbsent(name, place);
        }
        if (draft == Draft.DRAFT_2019_09
                && place.equals(resource.place())
                && node.path("$recursiveAnchor").asBoolean(false)) {
            resource.dynamicAnchors.put("", place);
        }
    }

    /** The schema that a reference names. */
    Place find(Place from, String keyword, String reference) {
        int hash = reference.indexOf('#');
        String name = hash < 0 ? reference : reference.substring(0, hash);
        String fragment = hash < 0 ? "" : decoded(reference.substring(hash + 1));
        Resource resource =
                name.isEmpty()
                        ? from.resource()
                        : resource(
                                from,
                                keyword,
                                resolved(from.resource().uri, name, from.at(keyword)));
        if (fragment.isEmpty()) {
            return resource.place();
        }
        Place place =
                fragment.startsWith("/")
                        ? byPointer(resource, fragment)
                        : resource.anchors.get(fragment);
        if (place == null) {
            throw from.syntax(keyword, "a reference leads nowhere: " + keyword + "=" + reference);
        }
        return place;
    }

    private Resource resource(Place from, String keyword, URI uri) {
        Resource known = resources.get(uri.toString());
        if (known != null) {
            return known;
        }
        String text = options.documents().get(uri.toString());
        if (text == null) {
            text = MetaSchemas.text(uri.toString());
        }
        if (text == null) {
            throw from.syntax(
                    keyword, "a reference leads to a document that is not given: uri=" + uri);
        }
        return load(uri, parsed(text, uri.toString()));
    }

    private @Nullable Place byPointer(Resource resource, String pointer) {
        Resource in = resource;
        JsonNode node = resource.root;
        for (String token : pointer.substring(1).split("/", -1)) {
            String name = token.replace("~1", "/").replace("~0", "~");
            node = node.isArray() ? node.path(index(name)) : node.path(name);
            in = byRoot.getOrDefault(node, in);
        }
        if (node.isMissingNode()) {
            return null;
        }
        return new Place(in, node, resource.pointer + pointer);
    }

    private static int index(String token) {
        return token.matches("0|[1-9][0-9]{0,8}") ? Integer.parseInt(token) : -1;
    }

    private static String withoutFragment(String uri) {
        int hash = uri.indexOf('#');
        return hash < 0 ? uri : uri.substring(0, hash);
    }

    private static String decoded(String fragment) {
        try {
            return URLDecoder.decode(fragment.replace("+", "%2B"), StandardCharsets.UTF_8);
        } catch (IllegalArgumentException e) {
            return fragment;
        }
    }

    private static URI resolved(URI base, String name, String pointer) {
        try {
            URI uri = URI.create(name);
            return uri.isAbsolute() || base.isOpaque() ? uri : base.resolve(uri);
        } catch (IllegalArgumentException e) {
            throw new GrammarException(
                    Reason.SYNTAX, pointer, "a reference must be a URI: uri=" + name);
        }
    }

    private static JsonNode parsed(String text, String uri) {
        try {
            return Json.parse(text);
        } catch (JacksonException e) {
            throw new GrammarException(
                    Reason.SYNTAX, "", "a document is not JSON: uri=" + uri + " " + message(e));
        }
    }

    static String message(JacksonException e) {
        return e.getOriginalMessage();
    }
}
