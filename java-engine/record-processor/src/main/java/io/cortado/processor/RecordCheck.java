package io.cortado.processor;

import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import javax.lang.model.element.Element;
import javax.lang.model.element.ElementKind;
import javax.lang.model.element.RecordComponentElement;
import javax.lang.model.element.TypeElement;
import javax.lang.model.type.DeclaredType;
import javax.lang.model.type.TypeKind;
import javax.lang.model.type.TypeMirror;
import javax.lang.model.util.ElementFilter;
import javax.lang.model.util.Elements;
import org.jspecify.annotations.Nullable;

/**
 * The rules of the engine's {@code RecordForms}, in their order and their words, over what the
 * compiler knows. One bad component does not hide the next.
 */
final class RecordCheck {
    /** Takes an error. */
    interface Report {
        void error(Element at, String message);
    }

    /** A rule that a component breaks. */
    private static final class Underivable extends Exception {
        private static final long serialVersionUID = 1L;

        Underivable(String what) {
            super(what);
        }
    }

    private final Elements elements;
    private final Report report;
    private final ComponentTypes types;
    private final RecordNeeds needs = new RecordNeeds();
    private final Set<TypeElement> checked = new HashSet<>();

    RecordCheck(Elements elements, Report report) {
        this.elements = elements;
        this.report = report;
        types = new ComponentTypes(elements);
    }

    void check(TypeElement root) {
        if (root.getKind() != ElementKind.RECORD) {
            report.error(root, "not a record: " + elements.getBinaryName(root));
            return;
        }
        checkRecord(root);
        RecordComponentElement circle = needs.circle();
        if (circle != null) {
            underivable(circle, where(circle), "a record that needs one of its own kind within it");
        }
    }

    private void checkRecord(TypeElement type) {
        if (!checked.add(type)) {
            return;
        }
        String name = type.getSimpleName().toString();
        String unknown = JacksonRules.unknown(List.of(type, JacksonRules.constructor(type)));
        if (unknown != null) {
            underivable(type, name, unknown);
        }
        if (!type.getTypeParameters().isEmpty()) {
            underivable(type, name, "a record with type parameters");
            return;
        }
        if (!Access.isOpen(elements, type)) {
            report.error(
                    type,
                    "the engine may not make a %s: open %s to module %s"
                            .formatted(name, elements.getPackageOf(type), Access.ENGINE));
        }
        Map<String, String> names = new HashMap<>();
        for (RecordComponentElement component : type.getRecordComponents()) {
            try {
                checkComponent(component, names);
            } catch (Underivable e) {
                underivable(component, where(component), Objects.requireNonNull(e.getMessage()));
            }
        }
    }

    private void checkComponent(RecordComponentElement component, Map<String, String> names)
            throws Underivable {
        Jackson jackson = Jackson.of(component);
        require(JacksonRules.unknown(jackson.elements()));
        if (jackson.isIgnored()) {
            return;
        }
        TypeMirror type = component.asType();
        boolean isOptional = types.isNamed(type, ComponentTypes.OPTIONAL);
        checkType(isOptional ? argument(type, 0) : type);
        TypeElement raw = types.element(type);
        if (raw != null
                && raw.getKind() == ElementKind.RECORD
                && !jackson.mayBeNull()
                && !jackson.mayBeMissing()) {
            needs.add(Jackson.type(component), component, raw);
        }
        if (names.putIfAbsent(jackson.name(), "") != null) {
            throw new Underivable("a second component named " + jackson.name());
        }
    }

    private void checkType(TypeMirror type) throws Underivable {
        if (type.getKind() == TypeKind.ARRAY) {
            TypeMirror item = ComponentTypes.item(type);
            if (types.isGenericArray(item)) {
                throw new Underivable(types.name(item));
            }
            checkType(item);
            return;
        }
        TypeElement raw = types.element(type);
        if (raw == null) {
            if (!type.getKind().isPrimitive()) {
                throw new Underivable(types.name(type));
            }
        } else if (raw.getKind() == ElementKind.RECORD) {
            checkRecord(raw);
        } else if (types.isIn(raw, ComponentTypes.COLLECTIONS)) {
            checkType(argument(type, 0));
        } else if (types.isIn(raw, ComponentTypes.MAPS)) {
            checkKey(argument(type, 0));
            checkType(argument(type, 1));
            checkEnum(types.element(argument(type, 0)));
        } else if (raw.getKind() == ElementKind.ENUM) {
            checkEnum(raw);
        } else if (!types.isIn(raw, ComponentTypes.SCALARS)) {
            throw new Underivable(types.name(type));
        }
    }

    private void checkKey(TypeMirror key) throws Underivable {
        TypeElement raw = types.element(key);
        if (raw == null && (key.getKind() != TypeKind.ARRAY || types.isGenericArray(key))) {
            throw new Underivable(types.name(key));
        }
        boolean isEnum = raw != null && raw.getKind() == ElementKind.ENUM;
        if (!isEnum && !types.isNamed(key, "java.lang.String")) {
            throw new Underivable("a map with keys of " + types.rawName(key));
        }
    }

    private static void checkEnum(@Nullable TypeElement type) throws Underivable {
        if (type == null || type.getKind() != ElementKind.ENUM) {
            return;
        }
        require(JacksonRules.unknown(List.of(type)));
        require(JacksonRules.unknown(ElementFilter.fieldsIn(type.getEnclosedElements())));
        require(JacksonRules.unknown(ElementFilter.methodsIn(type.getEnclosedElements())));
        Set<String> names = new HashSet<>();
        for (Element constant : type.getEnclosedElements()) {
            if (constant.getKind() == ElementKind.ENUM_CONSTANT) {
                String name = Jackson.of(constant).name();
                if (!names.add(name)) {
                    throw new Underivable("a second constant named " + name);
                }
            }
        }
        if (names.isEmpty()) {
            throw new Underivable("an enum without constants");
        }
    }

    private TypeMirror argument(TypeMirror type, int index) throws Underivable {
        if (type instanceof DeclaredType declared && !declared.getTypeArguments().isEmpty()) {
            return declared.getTypeArguments().get(index);
        }
        throw new Underivable("the raw type " + types.name(type));
    }

    private static void require(@Nullable String unknown) throws Underivable {
        if (unknown != null) {
            throw new Underivable(unknown);
        }
    }

    private static String where(RecordComponentElement component) {
        return Jackson.type(component).getSimpleName() + "." + component.getSimpleName();
    }

    private void underivable(Element at, String where, String what) {
        report.error(
                at,
                "no schema is derived of %s: %s (what is: records, enums, String, boolean, numbers,"
                                .formatted(what, where)
                        + " char, UUID, LocalDate, their arrays, List, Set and Map of them by"
                        + " strings or enums, and Optional as a component)");
    }
}
