package io.cortado.api;

import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Which records cannot be without which: one that needs its own kind has no value that ends. */
final class RecordNeeds {
    private final Map<Class<?>, Map<String, Class<?>>> needs = new LinkedHashMap<>();
    private final Set<Class<?>> underWay = new HashSet<>();
    private final Set<Class<?>> known = new HashSet<>();

    /**
     * @param component the one that is neither optional nor may be null
     */
    void add(Class<?> type, String component, Class<?> needed) {
        needs.computeIfAbsent(type, unused -> new LinkedHashMap<>()).put(component, needed);
    }

    /** A component that closes a circle; null where there is none. */
    @Nullable String circle() {
        for (Class<?> type : needs.keySet()) {
            String circle = circleFrom(type);
            if (circle != null) {
                return circle;
            }
        }
        return null;
    }

    private @Nullable String circleFrom(Class<?> type) {
        if (!known.add(type)) {
            return null;
        }
        underWay.add(type);
        for (Map.Entry<String, Class<?>> need : needs.getOrDefault(type, Map.of()).entrySet()) {
            String circle =
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
