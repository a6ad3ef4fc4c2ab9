package io.cortado.text;

/**
 * A text on which a pattern of the model would take too long; the message names the pattern and the
 * budget.
 */
public final class TextBudgetException extends IllegalArgumentException {
    private static final long serialVersionUID = 1L;

    public TextBudgetException(String message) {
        super(message);
    }
}
