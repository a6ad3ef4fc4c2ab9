package io.cortado.processor;

import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.util.List;
import java.util.Set;
import javax.lang.model.element.AnnotationMirror;
import javax.lang.model.element.Element;
import javax.lang.model.element.ExecutableElement;
import javax.lang.model.element.TypeElement;
import javax.lang.model.util.ElementFilter;
import org.jspecify.annotations.Nullable;

/** The annotations that the engine follows, and those that it refuses. */
final class JacksonRules {
    private static final String PACKAGE = "com.fasterxml.jackson.annotation.";
    static final String PROPERTY = PACKAGE + "JsonProperty";
    static final String IGNORE = PACKAGE + "JsonIgnore";
    private static final Set<String> KNOWN =
            Set.of(
                    PROPERTY,
                    IGNORE,
                    PACKAGE + "JsonPropertyDescription",
                    PACKAGE + "JsonAlias",
                    PACKAGE + "JsonInclude");

    private JacksonRules() {}

    static String name(AnnotationMirror annotation) {
        return type(annotation).getQualifiedName().toString();
    }

    private static TypeElement type(AnnotationMirror annotation) {
        return (TypeElement) annotation.getAnnotationType().asElement();
    }

    /** The first of Jackson's annotations that is not followed, in words; null where all are. */
    static @Nullable String unknown(List<? extends Element> elements) {
        for (Element element : elements) {
            for (AnnotationMirror each : element.getAnnotationMirrors()) {
                String name = name(each);
                boolean isJackson =
                        name.startsWith("com.fasterxml.jackson.")
                                || name.startsWith("tools.jackson.");
                if (isJackson && !KNOWN.contains(name)) {
                    return "the annotation @" + type(each).getSimpleName();
                }
            }
        }
        return null;
    }

    /** Whether it is a {@code Nullable} that is there at run time. */
    static boolean saysNull(AnnotationMirror annotation) {
        Retention retention = type(annotation).getAnnotation(Retention.class);
        return type(annotation).getSimpleName().contentEquals("Nullable")
                && retention != null
                && retention.value() == RetentionPolicy.RUNTIME;
    }

    /** The canonical constructor. */
    static ExecutableElement constructor(TypeElement type) {
        return ElementFilter.constructorsIn(type.getEnclosedElements()).stream()
                .filter(each -> isCanonical(each, type))
                .findFirst()
                .orElseThrow(() -> new AssertionError("a record has its canonical constructor"));
    }

    private static boolean isCanonical(ExecutableElement constructor, TypeElement type) {
        var parameters = constructor.getParameters();
        var components = type.getRecordComponents();
        if (parameters.size() != components.size()) {
            return false;
        }
        for (int i = 0; i < parameters.size(); i++) {
            String wanted = components.get(i).asType().toString();
            if (!parameters.get(i).asType().toString().equals(wanted)) {
                return false;
            }
        }
        return true;
    }
}
