package io.cortado.bindings;

import org.jspecify.annotations.Nullable;

/** The native library cannot be loaded; the message says what to do. */
public final class NativeLibraryException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    NativeLibraryException(String message) {
        this(message, null);
    }

    NativeLibraryException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
