package io.cortado.gang;

/** The gang has failed, for this rank: nothing can be exchanged any more. */
public final class GangException extends RuntimeException {
    private static final long serialVersionUID = 1;

    /** Why. */
    public enum Kind {
        /** A peer did not come to an exchange within the deadline: it died, stalled or hangs. */
        DEADLINE,

        /** A peer has ended the gang, or this rank has. */
        ABORTED,

        /** Ranks disagree: about sizes, the version, or which exchange this is. */
        MISMATCH,

        /** What carries the bytes has failed. */
        TRANSPORT
    }

    private final Kind kind;

    public GangException(Kind kind, String message) {
        super(message);
        this.kind = kind;
    }

    public GangException(Kind kind, String message, Throwable cause) {
        super(message, cause);
        this.kind = kind;
    }

    public Kind kind() {
        return kind;
    }
}
