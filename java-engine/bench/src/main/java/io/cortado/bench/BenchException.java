package io.cortado.bench;

import org.jspecify.annotations.Nullable;

/** A run that cannot be made; the message says what to change. */
public final class BenchException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public BenchException(String message) {
        this(message, null);
    }

    public BenchException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
