package io.cortado.text.jinja;

/** A template that cannot be compiled or rendered, or that raised an error itself. */
public final class TemplateException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final boolean raisedByTemplate;

    TemplateException(String message) {
        this(message, false);
    }

    private TemplateException(String message, boolean raisedByTemplate) {
        super(message);
        this.raisedByTemplate = raisedByTemplate;
    }

    static TemplateException raised(String message) {
        return new TemplateException(message, true);
    }

    TemplateException atLine(int line) {
        String message = String.valueOf(getMessage());
        return message.contains(" (template line ")
                ? this
                : new TemplateException(
                        message + " (template line " + line + ")", raisedByTemplate);
    }

    /**
     * Whether the template called {@code raise_exception}: the conversation is not acceptable to
     * the model.
     */
    public boolean isRaisedByTemplate() {
        return raisedByTemplate;
    }
}
