package io.cortado.processor;

import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import javax.lang.model.element.RecordComponentElement;
import javax.lang.model.element.TypeElement;
import org.jspecify.annotations.Nullable;

/** Which records cannot be without which, as in the engine. */
final class RecordNeeds {
    private final Map<TypeElement, Map<RecordComponentElement, TypeElement>> needs =
            new LinkedHashMap<>();
    private final Set<TypeElement> underWay = new HashSet<>();
    private final Set<TypeElement> known = new HashSet<>();

    void add(TypeElement type, RecordComponentElement component, TypeElement needed) {
        needs.computeIfAbsent(type, unused -> new LinkedHashMap<>()).put(component, needed);
    }

    /** A component that closes a circle; null where there is none. */
    @Nullable RecordComponentElement circle() {
        for (TypeElement type : needs.keySet()) {
            RecordComponentElement circle = circleFrom(type);
            if (circle != null) {
                return circle;
            }
        }
        return null;
    }

    private @Nullable RecordComponentElement circleFrom(TypeElement type) {
        if (!known.add(type)) {
            return null;
        }
        underWay.add(type);
        for (var need : needs.getOrDefault(type, Map.of()).entrySet()) {
            RecordComponentElement circle =
                    underWay.contains(need.getValue())
                            ? need.getKey()
                            : circleFrom(need.getValue());
            if (circle != null) {
                return circle;
            }
        }
        underWay.remove(type);
        return null;
    }
}
