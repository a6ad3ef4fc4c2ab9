package io.cortado.model;

import org.jspecify.annotations.Nullable;

/** A model that cannot be loaded; the message names the file, what is wrong, and the limit. */
public final class ModelException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** Whose fault it is. */
    public enum Kind {
        /** A file is malformed or missing. */
        INVALID,
        /** The model is well formed and this engine cannot run it. */
        UNSUPPORTED
    }

    private final Kind kind;

    private ModelException(Kind kind, String message, @Nullable Throwable cause) {
        super(message, cause);
        this.kind = kind;
    }

    static ModelException invalid(String message) {
        return new ModelException(Kind.INVALID, message, null);
    }

    static ModelException invalid(String message, Throwable cause) {
        return new ModelException(Kind.INVALID, message, cause);
    }

    static ModelException unsupported(String message) {
        return new ModelException(Kind.UNSUPPORTED, message, null);
    }

    /** The same of this kind, after the place that it is about. */
    ModelException at(String place) {
        return new ModelException(kind, place + ": " + getMessage(), this);
    }

    public Kind kind() {
        return kind;
    }
}
