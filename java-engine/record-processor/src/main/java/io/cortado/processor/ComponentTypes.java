package io.cortado.processor;

import java.util.Set;
import java.util.stream.Collectors;
import javax.lang.model.element.TypeElement;
import javax.lang.model.type.ArrayType;
import javax.lang.model.type.DeclaredType;
import javax.lang.model.type.TypeKind;
import javax.lang.model.type.TypeMirror;
import javax.lang.model.type.WildcardType;
import javax.lang.model.util.Elements;
import org.jspecify.annotations.Nullable;

/** The types that components may have, and types by the names that reflection gives them. */
final class ComponentTypes {
    static final String OPTIONAL = "java.util.Optional";
    static final Set<String> COLLECTIONS =
            Set.of(
                    "java.util.List",
                    "java.util.Collection",
                    "java.util.SequencedCollection",
                    "java.lang.Iterable",
                    "java.util.Set",
                    "java.util.SequencedSet");
    static final Set<String> MAPS = Set.of("java.util.Map", "java.util.SequencedMap");
    static final Set<String> SCALARS =
            Set.of(
                    "java.lang.String",
                    "java.lang.Boolean",
                    "java.lang.Byte",
                    "java.lang.Short",
                    "java.lang.Integer",
                    "java.lang.Long",
                    "java.lang.Float",
                    "java.lang.Double",
                    "java.lang.Character",
                    "java.math.BigInteger",
                    "java.math.BigDecimal",
                    "java.util.UUID",
                    "java.time.LocalDate");

    private final Elements elements;

    ComponentTypes(Elements elements) {
        this.elements = elements;
    }

    /** The class of a declared type; null of any other. */
    @Nullable TypeElement element(TypeMirror type) {
        return type.getKind() == TypeKind.DECLARED
                ? (TypeElement) ((DeclaredType) type).asElement()
                : null;
    }

    boolean isIn(TypeElement type, Set<String> names) {
        return names.contains(type.getQualifiedName().toString());
    }

    boolean isNamed(TypeMirror type, String name) {
        TypeElement element = element(type);
        return element != null && element.getQualifiedName().contentEquals(name);
    }

    static TypeMirror item(TypeMirror array) {
        return ((ArrayType) array).getComponentType();
    }

    /** Whether it is an array of a type with arguments, at whatever depth. */
    boolean isGenericArray(TypeMirror type) {
        TypeMirror item = type;
        while (item.getKind() == TypeKind.ARRAY) {
            item = item(item);
        }
        return type.getKind() == TypeKind.ARRAY
                && item instanceof DeclaredType declared
                && !declared.getTypeArguments().isEmpty();
    }

    /** {@code Type.getTypeName()}. */
    String name(TypeMirror type) {
        if (type instanceof DeclaredType declared && !declared.getTypeArguments().isEmpty()) {
            return declared.getTypeArguments().stream()
                    .map(this::name)
                    .collect(Collectors.joining(", ", rawName(type) + "<", ">"));
        }
        if (type instanceof WildcardType wildcard) {
            TypeMirror upper = wildcard.getExtendsBound();
            TypeMirror lower = wildcard.getSuperBound();
            if (upper != null && !isNamed(upper, "java.lang.Object")) {
                return "? extends " + name(upper);
            }
            return lower == null ? "?" : "? super " + name(lower);
        }
        return type.getKind() == TypeKind.ARRAY ? name(item(type)) + "[]" : rawName(type);
    }

    /** The same of its class. */
    String rawName(TypeMirror type) {
        TypeElement element = element(type);
        if (element != null) {
            return elements.getBinaryName(element).toString();
        }
        return type.getKind() == TypeKind.ARRAY
                ? rawName(item(type)) + "[]"
                : type.getKind().name().toLowerCase(java.util.Locale.ROOT);
    }
}
