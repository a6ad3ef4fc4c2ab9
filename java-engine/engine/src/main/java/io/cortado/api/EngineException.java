package io.cortado.api;

import org.jspecify.annotations.Nullable;

/** A failure that names what, the value and the limit. The message is safe to show to a client. */
public final class EngineException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** What kind of failure it is: decides the HTTP status. */
    public enum Code {
        /** The request is wrong; {@link EngineException#param} says where. */
        INVALID_REQUEST,
        /** Prompt and output do not fit into the model's context or the KV cache. */
        CONTEXT_LENGTH_EXCEEDED,
        /** Too many requests wait; try again later. */
        QUEUE_FULL,
        /** The engine drains or is closed. */
        CLOSED,
        /** The logits of this request were not finite; other requests are not touched. */
        NOT_FINITE,
        /** A file of the model is malformed. */
        INVALID_MODEL,
        /** The model is well formed and this engine cannot run it. */
        UNSUPPORTED_MODEL,
        /** The weights alone take more than the device has for them. */
        WEIGHTS_DO_NOT_FIT,
        /** What a step computes in takes more than the weights leave. */
        WORKSPACE_DOES_NOT_FIT,
        /** The KV cache that is asked for, or that one sequence needs, takes more than is left. */
        KV_DOES_NOT_FIT,
        /**
         * The device has failed for good: the engine takes nothing more and must be opened again.
         */
        DEVICE_LOST,
        /** A fault of ours. */
        INTERNAL
    }

    private final Code code;
    private final @Nullable String param;

    public EngineException(Code code, String message) {
        this(code, message, null, null);
    }

    public EngineException(Code code, String message, @Nullable String param) {
        this(code, message, param, null);
    }

    public EngineException(
            Code code, String message, @Nullable String param, @Nullable Throwable cause) {
        super(message, cause);
        this.code = code;
        this.param = param;
    }

    public Code code() {
        return code;
    }

    /** The request field that is wrong, by its API name; null where it is not one field. */
    public @Nullable String param() {
        return param;
    }

    /** An INVALID_REQUEST about one field. */
    public static EngineException invalid(String param, String message) {
        return new EngineException(Code.INVALID_REQUEST, message, param);
    }
}
