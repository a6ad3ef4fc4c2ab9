package io.cortado.constrain;

/**
 * A grammar, pattern or schema that is wrong, not supported, or over a limit. The message names
 * what, the value and the limit, and is safe to show to a client.
 */
public final class GrammarException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** What kind of failure it is. */
    public enum Reason {
        /** The text is not of the language it claims to be. */
        SYNTAX,
        /** Well formed, and cannot be enforced exactly. */
        UNSUPPORTED,
        /** No output can satisfy it. */
        UNSATISFIABLE,
        /** It costs more states, memory or time than allowed. */
        LIMIT
    }

    private final Reason reason;
    private final String position;
    private final String what;

    /**
     * @param position where in the input: an offset as {@code offset 12}, or a JSON Pointer; empty
     *     where it is the whole
     */
    public GrammarException(Reason reason, String position, String message) {
        super(position.isEmpty() ? message : message + " at " + position);
        this.reason = reason;
        this.position = position;
        what = message;
    }

    /** The same of a part of a larger input, which stands at a JSON Pointer. */
    public GrammarException within(String pointer) {
        var moved = new GrammarException(reason, pointer + position, what);
        moved.initCause(this);
        return moved;
    }

    public Reason reason() {
        return reason;
    }

    public String position() {
        return position;
    }

    static GrammarException syntax(int offset, String message) {
        return new GrammarException(Reason.SYNTAX, "offset " + offset, message);
    }

    static GrammarException unsupported(int offset, String message) {
        return new GrammarException(Reason.UNSUPPORTED, "offset " + offset, message);
    }

    static GrammarException limit(String what, long value, long limit) {
        return new GrammarException(
                Reason.LIMIT,
                "",
                "the grammar needs more "
                        + what
                        + " than allowed: "
                        + what
                        + "="
                        + value
                        + " limit="
                        + limit);
    }
}
