package io.cortado.constrain.schema;

import java.util.HashMap;
import java.util.Map;

/**
 * The dynamic scope of a schema's use, as far as references can tell: for each dynamic anchor, that
 * of the outermost resource on the way here.
 */
record Scope(Map<String, Place> anchors) {
    static final Scope NONE = new Scope(Map.of());

    Scope within(Resource resource) {
        if (anchors.keySet().containsAll(resource.dynamicAnchors.keySet())) {
            return this;
        }
        Map<String, Place> more = new HashMap<>(resource.dynamicAnchors);
        more.putAll(anchors);
        return new Scope(Map.copyOf(more));
    }
}
