package io.cortado.text;

import org.jspecify.annotations.Nullable;

/**
 * A tokenizer file that is malformed or beyond a limit; the message names what, the value and the
 * limit.
 */
public class TokenizerFormatException extends IllegalArgumentException {
    private static final long serialVersionUID = 1L;

    public TokenizerFormatException(String message) {
        super(message);
    }

    public TokenizerFormatException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
