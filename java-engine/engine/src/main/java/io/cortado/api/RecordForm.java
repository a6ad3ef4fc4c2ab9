package io.cortado.api;

import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** A record's members as JSON has them, and the record that they make. */
final class RecordForm {
    /**
     * One component.
     *
     * @param place among the constructor's parameters
     */
    record Member(int place, ValueForm form, boolean isRequired) {}

    private final Constructor<?> constructor;
    private final @Nullable Object[] absent;
    private final Map<String, Member> members = new LinkedHashMap<>();

    /**
     * @param absent each parameter's value where nothing is said of it
     */
    RecordForm(Constructor<?> constructor, @Nullable Object[] absent) {
        this.constructor = constructor;
        this.absent = absent;
    }

    /** False if another has the name. */
    boolean add(String name, Member member) {
        return members.putIfAbsent(name, member) == null;
    }

    /** Writes the schema: of the members in their order, and of nothing else. */
    void writeTo(ObjectNode schema) {
        schema.put("type", "object");
        ObjectNode properties = schema.putObject("properties");
        ArrayNode required = JsonNodeFactory.instance.arrayNode();
        members.forEach((name, member) -> {
            properties.set(name, member.form.schema());
            if (member.isRequired) {
                required.add(name);
            }
        });
        schema.set("required", required);
        schema.put("additionalProperties", false);
    }

    Object read(JsonNode node, String at) {
        if (!node.isObject()) {
            throw ValueForm.refused("an object", node, at);
        }
        @Nullable Object[] values = absent.clone();
        Map<String, Member> missing = new HashMap<>(members);
        for (Map.Entry<String, JsonNode> each : node.properties()) {
            String there = at + "/" + each.getKey();
            Member member = missing.remove(each.getKey());
            if (member == null) {
                throw new IllegalArgumentException("no component is named so: " + there);
            }
            values[member.place] = member.form.reader().read(each.getValue(), there);
        }
        missing.forEach((name, member) -> {
            if (member.isRequired) {
                throw new IllegalArgumentException("a value is missing: " + at + "/" + name);
            }
        });
        return made(values, at);
    }

    private Object made(@Nullable Object[] values, String at) {
        String what = constructor.getDeclaringClass().getSimpleName();
        try {
            return constructor.newInstance(values);
        } catch (InvocationTargetException e) {
            throw new IllegalArgumentException(
                    "%s refuses what stands at %s: %s"
                            .formatted(what, at.isEmpty() ? "the top" : at, e.getCause()),
                    e.getCause());
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException("cannot make a " + what, e);
        }
    }
}
