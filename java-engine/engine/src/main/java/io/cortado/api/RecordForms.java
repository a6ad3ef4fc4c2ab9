package io.cortado.api;

import com.fasterxml.jackson.annotation.JsonAlias;
import com.fasterxml.jackson.annotation.JsonIgnore;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import com.fasterxml.jackson.annotation.OptBoolean;
import java.lang.annotation.Annotation;
import java.lang.reflect.AnnotatedArrayType;
import java.lang.reflect.AnnotatedElement;
import java.lang.reflect.AnnotatedParameterizedType;
import java.lang.reflect.AnnotatedType;
import java.lang.reflect.Array;
import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedCollection;
import java.util.SequencedMap;
import java.util.SequencedSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** Derives the form of a record and of those within it, each once: they may refer to each other. */
final class RecordForms {
    private static final Set<Class<?>> LISTS =
            Set.of(List.class, Collection.class, SequencedCollection.class, Iterable.class);
    private static final Set<Class<?>> SETS = Set.of(Set.class, SequencedSet.class);
    private static final Set<Class<?>> MAPS = Set.of(Map.class, SequencedMap.class);

    /** Those that are followed, and those that only matter where a record is written. */
    private static final Set<Class<?>> ANNOTATIONS =
            Set.of(
                    JsonProperty.class,
                    JsonPropertyDescription.class,
                    JsonIgnore.class,
                    JsonAlias.class,
                    JsonInclude.class);

    private final ObjectNode definitions = JsonNodeFactory.instance.objectNode();
    private final Map<Class<?>, ValueForm> references = new HashMap<>();
    private final RecordNeeds needs = new RecordNeeds();

    private RecordForms() {}

    /**
     * @throws IllegalArgumentException with the component that cannot be derived
     */
    static ValueForm of(Class<?> root) {
        if (!root.isRecord()) {
            throw new IllegalArgumentException("not a record: " + root.getName());
        }
        var forms = new RecordForms();
        ObjectNode schema = JsonNodeFactory.instance.objectNode();
        ValueForm reference = forms.derive(root, schema, "#");
        String circle = forms.needs.circle();
        if (circle != null) {
            throw underivable(circle, "a record that needs one of its own kind within it");
        }
        if (!forms.definitions.isEmpty()) {
            schema.set("$defs", forms.definitions);
        }
        return new ValueForm(schema, reference.reader());
    }

    private static ObjectNode reference(String to) {
        return JsonNodeFactory.instance.objectNode().put("$ref", to);
    }

    /** A nested record: a reference to its definition, which is made on the way. */
    private ValueForm nested(Class<?> type) {
        ValueForm known = references.get(type);
        if (known != null) {
            return known;
        }
        String name = type.getSimpleName();
        for (int i = 2; definitions.has(name); i++) {
            name = type.getSimpleName() + i;
        }
        return derive(type, definitions.putObject(name), "#/$defs/" + name);
    }

    private ValueForm derive(Class<?> type, ObjectNode schema, String place) {
        requireKnown(type, type.getSimpleName());
        if (type.getTypeParameters().length > 0) {
            throw underivable(type.getSimpleName(), "a record with type parameters");
        }
        RecordComponent[] components = type.getRecordComponents();
        RecordForm form = new RecordForm(constructor(type, components), absent(components));
        ValueForm reference = new ValueForm(reference(place), form::read);
        references.put(type, reference);
        for (int i = 0; i < components.length; i++) {
            add(form, components[i], i);
        }
        form.writeTo(schema);
        return reference;
    }

    private static Constructor<?> constructor(Class<?> type, RecordComponent[] components) {
        Class<?>[] types =
                Arrays.stream(components).map(RecordComponent::getType).toArray(Class<?>[]::new);
        try {
            Constructor<?> constructor = type.getDeclaredConstructor(types);
            requireKnown(constructor, type.getSimpleName());
            if (!constructor.trySetAccessible()) {
                throw new IllegalArgumentException(
                        "the engine may not make a %s: open %s to %s"
                                .formatted(
                                        type.getSimpleName(),
                                        type.getPackageName(),
                                        RecordForms.class.getModule()));
            }
            return constructor;
        } catch (NoSuchMethodException e) {
            throw new AssertionError("a record has its canonical constructor", e);
        }
    }

    private static @Nullable Object[] absent(RecordComponent[] components) {
        @Nullable Object[] values = new @Nullable Object[components.length];
        for (int i = 0; i < components.length; i++) {
            Class<?> type = components[i].getType();
            if (type == Optional.class) {
                values[i] = Optional.empty();
            } else if (type.isPrimitive()) {
                values[i] = Array.get(Array.newInstance(type, 1), 0);
            }
        }
        return values;
    }

    private void add(RecordForm form, RecordComponent component, int place) {
        String where = component.getDeclaringRecord().getSimpleName() + "." + component.getName();
        List<Annotation> annotations = annotations(component, where);
        JsonProperty property = find(annotations, JsonProperty.class);
        JsonIgnore ignore = find(annotations, JsonIgnore.class);
        if (ignore != null && ignore.value()
                || property != null && property.access() == JsonProperty.Access.READ_ONLY) {
            return;
        }
        AnnotatedType type = component.getAnnotatedType();
        boolean isOptional = component.getType() == Optional.class;
        ValueForm value = isOptional ? optional(type, where) : of(type, where);
        boolean mayBeNull =
                annotations.stream().anyMatch(RecordForms::saysNull)
                        || Arrays.stream(type.getAnnotations()).anyMatch(RecordForms::saysNull);
        if (!isOptional && annotations.stream().anyMatch(RecordForms::saysNull)) {
            value = value.orNull();
        }
        JsonPropertyDescription described = find(annotations, JsonPropertyDescription.class);
        if (described != null) {
            ObjectNode schema = value.schema().deepCopy().put("description", described.value());
            value = new ValueForm(schema, value.reader());
        }
        String given = property == null ? "" : property.value();
        String name = given.isEmpty() ? component.getName() : given;
        boolean mayMiss = property != null && property.isRequired() == OptBoolean.FALSE;
        if (component.getType().isRecord() && !mayBeNull && !mayMiss) {
            needs.add(component.getDeclaringRecord(), where, component.getType());
        }
        if (!form.add(name, new RecordForm.Member(place, value, !isOptional && !mayMiss))) {
            throw underivable(where, "a second component named " + name);
        }
    }

    private ValueForm optional(AnnotatedType type, String where) {
        ValueForm inner = of(argument(type, 0, where), where);
        return new ValueForm(
                inner.schema(), (node, at) -> Optional.ofNullable(inner.reader().read(node, at)));
    }

    private ValueForm of(AnnotatedType type, String where) {
        ValueForm form = nonNull(type, where);
        return Arrays.stream(type.getAnnotations()).anyMatch(RecordForms::saysNull)
                ? form.orNull()
                : form;
    }

    private ValueForm nonNull(AnnotatedType type, String where) {
        if (type instanceof AnnotatedArrayType array) {
            AnnotatedType item = array.getAnnotatedGenericComponentType();
            Class<?> itemClass = raw(item, where);
            return of(item, where).array(false, items -> arrayOf(itemClass, items));
        }
        Class<?> raw = raw(type, where);
        if (raw.isRecord()) {
            return nested(raw);
        }
        if (LISTS.contains(raw)) {
            return of(argument(type, 0, where), where).list();
        }
        if (SETS.contains(raw)) {
            return of(argument(type, 0, where), where).set();
        }
        if (MAPS.contains(raw)) {
            Class<?> key = raw(argument(type, 0, where), where);
            if (key != String.class && !key.isEnum()) {
                throw underivable(where, "a map with keys of " + key.getTypeName());
            }
            return of(argument(type, 1, where), where).map(scalar(key, key.getTypeName(), where));
        }
        return scalar(raw, type.getType().getTypeName(), where);
    }

    private static ValueForm scalar(Class<?> raw, String name, String where) {
        if (raw.isEnum()) {
            requireKnown(raw, where);
            Arrays.stream(raw.getDeclaredFields()).forEach(field -> requireKnown(field, where));
            Arrays.stream(raw.getDeclaredMethods()).forEach(method -> requireKnown(method, where));
            requireNames(raw, where);
        }
        ValueForm scalar = ScalarForms.of(raw);
        if (scalar == null) {
            throw underivable(where, name);
        }
        return scalar;
    }

    private static void requireNames(Class<?> enumeration, String where) {
        Set<String> names = new HashSet<>();
        for (Field field : enumeration.getDeclaredFields()) {
            if (field.isEnumConstant() && !names.add(ScalarForms.name(field))) {
                throw underivable(where, "a second constant named " + ScalarForms.name(field));
            }
        }
        if (names.isEmpty()) {
            throw underivable(where, "an enum without constants");
        }
    }

    private static Object arrayOf(Class<?> itemClass, List<@Nullable Object> items) {
        Object array = Array.newInstance(itemClass, items.size());
        for (int i = 0; i < items.size(); i++) {
            Array.set(array, i, items.get(i));
        }
        return array;
    }

    private static Class<?> raw(AnnotatedType type, String where) {
        return switch (type.getType()) {
            case Class<?> raw -> raw;
            case ParameterizedType generic when generic.getRawType() instanceof Class<?> raw -> raw;
            default -> throw underivable(where, type.getType().getTypeName());
        };
    }

    private static AnnotatedType argument(AnnotatedType type, int index, String where) {
        if (!(type instanceof AnnotatedParameterizedType generic)) {
            throw underivable(where, "the raw type " + type.getType().getTypeName());
        }
        return generic.getAnnotatedActualTypeArguments()[index];
    }

    /** A component's own are on its field, its accessor and its parameter, as their targets say. */
    private static List<Annotation> annotations(RecordComponent component, String where) {
        List<Annotation> all = new ArrayList<>();
        try {
            Class<?> type = component.getDeclaringRecord();
            for (AnnotatedElement element :
                    List.of(type.getDeclaredField(component.getName()), component.getAccessor())) {
                requireKnown(element, where);
                all.addAll(List.of(element.getAnnotations()));
            }
        } catch (NoSuchFieldException e) {
            throw new AssertionError("a component has its field", e);
        }
        return all;
    }

    private static <A extends Annotation> @Nullable A find(List<Annotation> all, Class<A> type) {
        return all.stream().filter(type::isInstance).map(type::cast).findFirst().orElse(null);
    }

    private static boolean saysNull(Annotation annotation) {
        return annotation.annotationType().getSimpleName().equals("Nullable");
    }

    private static void requireKnown(AnnotatedElement element, String where) {
        for (Annotation each : element.getAnnotations()) {
            Class<?> type = each.annotationType();
            boolean isJackson =
                    type.getName().startsWith("com.fasterxml.jackson.")
                            || type.getName().startsWith("tools.jackson.");
            if (isJackson && !ANNOTATIONS.contains(type)) {
                throw underivable(where, "the annotation @" + type.getSimpleName());
            }
        }
    }

    private static IllegalArgumentException underivable(String where, String what) {
        return new IllegalArgumentException(
                "no schema is derived of %s: %s (what is: records, enums, String, boolean, numbers,"
                                .formatted(what, where)
                        + " char, UUID, LocalDate, their arrays, List, Set and Map of them by"
                        + " strings or enums, and Optional as a component)");
    }
}
