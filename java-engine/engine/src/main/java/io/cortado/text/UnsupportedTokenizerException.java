package io.cortado.text;

/**
 * A well-formed tokenizer file that asks for a part this engine does not have; the message names
 * it.
 */
public final class UnsupportedTokenizerException extends TokenizerFormatException {
    private static final long serialVersionUID = 1L;

    public UnsupportedTokenizerException(String message) {
        super(message);
    }
}
