package io.cortado.api;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * How the values of one Java type are written as JSON, and made of it.
 *
 * @param schema what {@code reader} takes
 */
record ValueForm(ObjectNode schema, Reader reader) {
    /** Makes a value of what stands at a JSON Pointer; what it does not take, it refuses. */
    interface Reader {
        @Nullable Object read(JsonNode node, String at);
    }

    static IllegalArgumentException refused(String expected, JsonNode node, String at) {
        return new IllegalArgumentException(
                "expected %s at %s: %s".formatted(expected, at.isEmpty() ? "the top" : at, node));
    }

    /** A value that {@code maker} makes of a string, or refuses with any runtime exception. */
    static ValueForm ofText(ObjectNode schema, String expected, Function<String, ?> maker) {
        return new ValueForm(
                schema,
                (node, at) -> {
                    if (!node.isString()) {
                        throw refused(expected, node, at);
                    }
                    try {
                        return maker.apply(node.stringValue());
                    } catch (RuntimeException e) {
                        throw refused(expected, node, at);
                    }
                });
    }

    ValueForm orNull() {
        ObjectNode either = JsonNodeFactory.instance.objectNode();
        either.putArray("anyOf").add(schema).addObject().put("type", "null");
        return new ValueForm(either, (node, at) -> node.isNull() ? null : reader.read(node, at));
    }

    /** Arrays of these, as what {@code maker} makes of a list that is its own. */
    ValueForm array(boolean isUnique, Function<List<@Nullable Object>, Object> maker) {
        ObjectNode array = JsonNodeFactory.instance.objectNode().put("type", "array");
        array.set("items", schema);
        if (isUnique) {
            array.put("uniqueItems", true);
        }
        return new ValueForm(
                array,
                (node, at) -> {
                    if (!node.isArray()) {
                        throw refused("an array", node, at);
                    }
                    List<@Nullable Object> items = new ArrayList<>(node.size());
                    for (JsonNode item : node) {
                        items.add(reader.read(item, at + "/" + items.size()));
                    }
                    return maker.apply(items);
                });
    }

    ValueForm list() {
        return array(false, Collections::unmodifiableList);
    }

    ValueForm set() {
        return array(true, items -> Collections.unmodifiableSet(new LinkedHashSet<>(items)));
    }

    /** Objects of these by keys of a form of strings. */
    ValueForm map(ValueForm key) {
        ObjectNode object = JsonNodeFactory.instance.objectNode().put("type", "object");
        if (key.schema.has("enum")) {
            object.set("propertyNames", key.schema);
        }
        object.set("additionalProperties", schema);
        return new ValueForm(
                object,
                (node, at) -> {
                    if (!node.isObject()) {
                        throw refused("an object", node, at);
                    }
                    Map<@Nullable Object, @Nullable Object> entries = new LinkedHashMap<>();
                    for (Map.Entry<String, JsonNode> each : node.properties()) {
                        String there = at + "/" + each.getKey();
                        JsonNode name = JsonNodeFactory.instance.stringNode(each.getKey());
                        entries.put(
                                key.reader.read(name, there), reader.read(each.getValue(), there));
                    }
                    return Collections.unmodifiableMap(entries);
                });
    }
}
