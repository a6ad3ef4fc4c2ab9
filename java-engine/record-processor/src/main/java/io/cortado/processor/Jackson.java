package io.cortado.processor;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import javax.lang.model.element.AnnotationMirror;
import javax.lang.model.element.AnnotationValue;
import javax.lang.model.element.Element;
import javax.lang.model.element.RecordComponentElement;
import javax.lang.model.element.TypeElement;
import javax.lang.model.util.ElementFilter;
import org.jspecify.annotations.Nullable;

/**
 * What annotations say of a component or an enum's constant. Those of a component are on its field
 * and its accessor, as their targets say.
 */
record Jackson(Element element, List<Element> elements) {
    static Jackson of(Element element) {
        if (!(element instanceof RecordComponentElement component)) {
            return new Jackson(element, List.of(element));
        }
        List<Element> elements = new ArrayList<>();
        ElementFilter.fieldsIn(type(component).getEnclosedElements()).stream()
                .filter(field -> field.getSimpleName().equals(component.getSimpleName()))
                .forEach(elements::add);
        elements.add(component.getAccessor());
        return new Jackson(component, elements);
    }

    /** The record of a component. */
    static TypeElement type(RecordComponentElement component) {
        return (TypeElement) Objects.requireNonNull(component.getEnclosingElement());
    }

    boolean isIgnored() {
        return "true".equals(value(JacksonRules.IGNORE, "value", "true"))
                || "READ_ONLY".equals(value(JacksonRules.PROPERTY, "access", ""));
    }

    boolean mayBeMissing() {
        return "FALSE".equals(value(JacksonRules.PROPERTY, "isRequired", ""));
    }

    boolean mayBeNull() {
        Stream<AnnotationMirror> declared = elements.stream().flatMap(Jackson::annotations);
        Stream<AnnotationMirror> ofType =
                element.asType().getAnnotationMirrors().stream().map(a -> (AnnotationMirror) a);
        return Stream.concat(declared, ofType).anyMatch(JacksonRules::saysNull);
    }

    String name() {
        String given = value(JacksonRules.PROPERTY, "value", "");
        return given == null || given.isEmpty() ? element.getSimpleName().toString() : given;
    }

    private static Stream<AnnotationMirror> annotations(Element element) {
        return element.getAnnotationMirrors().stream().map(a -> (AnnotationMirror) a);
    }

    /** A value of the first annotation of this type; null where there is none. */
    private @Nullable String value(String type, String name, String byDefault) {
        AnnotationMirror found =
                elements.stream()
                        .flatMap(Jackson::annotations)
                        .filter(each -> JacksonRules.name(each).equals(type))
                        .findFirst()
                        .orElse(null);
        if (found == null) {
            return null;
        }
        for (var entry : found.getElementValues().entrySet()) {
            if (entry.getKey().getSimpleName().contentEquals(name)) {
                return text(entry.getValue());
            }
        }
        return byDefault;
    }

    private static String text(AnnotationValue value) {
        return value.getValue() instanceof Element constant
                ? constant.getSimpleName().toString()
                : String.valueOf(value.getValue());
    }
}
