package io.cortado.text.jinja;

import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The names of one block; a name that is not here is looked for outside. */
final class Scope {
    private final @Nullable Scope outer;
    private final Map<String, Object> names;

    Scope(Map<String, Object> globals) {
        this.outer = null;
        this.names = globals;
    }

    private Scope(Scope outer) {
        this.outer = outer;
        this.names = new HashMap<>();
    }

    Scope inner() {
        return new Scope(this);
    }

    void set(String name, Object value) {
        names.put(name, value);
    }

    Object find(String name) {
        for (Scope scope = this; scope != null; scope = scope.outer) {
            Object value = scope.names.get(name);
            if (value != null) {
                return value;
            }
        }
        return new Undefined("'" + name + "' is undefined");
    }
}
