package io.cortado.constrain.schema;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A statement about a value: a boolean combination of types and {@link Atom}s, without negation.
 * Made by {@link Formulas}, once for each structure: equal is the same object.
 */
final class Formula {
    enum Kind {
        /** The value's type is one of a set. */
        TYPES,
        /** A statement about values of one type. */
        ATOM,
        AND,
        OR,
        /** What a schema says, or its opposite; read when it is needed. */
        SCHEMA
    }

    final int id;
    final Kind kind;

    /** Of {@code TYPES}: the set, as {@link Types} has it. */
    final int types;

    final @Nullable Atom atom;

    /** Of {@code ATOM}: what it says of values of other types. */
    final boolean holdsElsewhere;

    final List<Formula> parts;
    final @Nullable SchemaUse use;

    /** Of {@code SCHEMA}: whether its opposite is meant. */
    final boolean isOpposite;

    @Nullable Formula opposite;

    Formula(
            int id,
            Kind kind,
            int types,
            @Nullable Atom atom,
            boolean flag,
            List<Formula> parts,
            @Nullable SchemaUse use) {
        this.id = id;
        this.kind = kind;
        this.types = types;
        this.atom = atom;
        this.parts = parts;
        this.use = use;
        holdsElsewhere = kind == Kind.ATOM && flag;
        isOpposite = kind == Kind.SCHEMA && flag;
    }

    @Override
    public String toString() {
        return kind + "#" + id;
    }
}
