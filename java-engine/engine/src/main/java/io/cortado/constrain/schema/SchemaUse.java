package io.cortado.constrain.schema;

import org.jspecify.annotations.Nullable;

/** A schema in a dynamic scope, and what it says once it was read. */
final class SchemaUse {
    final Place place;
    final Scope scope;
    private final SchemaReader reader;
    private @Nullable Formula formula;
    private boolean isBeingRead;

    SchemaUse(Place place, Scope scope, SchemaReader reader) {
        this.place = place;
        this.scope = scope;
        this.reader = reader;
    }

    @Nullable Formula known() {
        return formula;
    }

    Formula formula() {
        Formula read = formula;
        if (read == null) {
            if (isBeingRead) {
                throw place.unsupported("", "a schema whose property names it describes itself");
            }
            isBeingRead = true;
            read = reader.read(this);
            formula = read;
        }
        return read;
    }
}
