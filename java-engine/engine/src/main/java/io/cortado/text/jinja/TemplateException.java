package io.cortado.text.jinja;

/** A template that cannot be compiled or rendered, or that raised an error itself. */
public final class TemplateException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** Whose fault it is. */
    public enum Kind {
        /** The template is not valid, or does not fit the variables it was given. */
        INVALID,
        /**
         * The template called {@code raise_exception}: the conversation is not acceptable to the
         * model.
         */
        RAISED,
        /** The rendering would cost more than is allowed: steps, time, depth, text or lists. */
        BUDGET
    }

    private final Kind kind;

    TemplateException(String message) {
        this(message, Kind.INVALID);
    }

    private TemplateException(String message, Kind kind) {
        super(message);
        this.kind = kind;
    }

    static TemplateException raised(String message) {
        return new TemplateException(message, Kind.RAISED);
    }

    static TemplateException budget(String message) {
        return new TemplateException(message, Kind.BUDGET);
    }

    TemplateException atLine(int line) {
        String message = String.valueOf(getMessage());
        return kind == Kind.RAISED || message.contains(" (template line ")
                ? this
                : new TemplateException(message + " (template line " + line + ")", kind);
    }

    public Kind kind() {
        return kind;
    }
}
