package io.cortado.server;

import io.cortado.api.EngineException;
import io.netty.handler.codec.http.HttpResponseStatus;
import org.jspecify.annotations.Nullable;

/** An answer that is an error, in the OpenAI form. The message is the client's to read. */
final class ApiError extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final int status;
    private final String type;
    private final @Nullable String param;
    private final @Nullable String code;

    ApiError(
            HttpResponseStatus status,
            String type,
            String message,
            @Nullable String param,
            @Nullable String code) {
        super(message, null, false, false);
        this.status = status.code();
        this.type = type;
        this.param = param;
        this.code = code;
    }

    /** The request's field {@code param} is wrong. */
    static ApiError invalid(@Nullable String param, String message) {
        return of(HttpResponseStatus.BAD_REQUEST, message, param, null);
    }

    /** The field is known and what it asks for is not built. */
    static ApiError unsupported(String param, String what) {
        return of(
                HttpResponseStatus.BAD_REQUEST,
                param + " is not supported: " + what,
                param,
                "unsupported_parameter");
    }

    static ApiError of(
            HttpResponseStatus status,
            String message,
            @Nullable String param,
            @Nullable String code) {
        return new ApiError(status, typeOf(status.code()), message, param, code);
    }

    static ApiError draining() {
        return of(
                HttpResponseStatus.SERVICE_UNAVAILABLE,
                "The server is shutting down.",
                null,
                "shutting_down");
    }

    static ApiError dead() {
        return of(
                HttpResponseStatus.SERVICE_UNAVAILABLE,
                "The engine has failed and must be restarted.",
                null,
                "engine_dead");
    }

    static ApiError slow() {
        return of(
                HttpResponseStatus.SERVICE_UNAVAILABLE,
                "A step of the engine takes very long.",
                null,
                "step_slow");
    }

    static ApiError timeout() {
        return of(
                HttpResponseStatus.GATEWAY_TIMEOUT,
                "The request took longer than the server allows.",
                null,
                "timeout");
    }

    static ApiError internal() {
        return of(
                HttpResponseStatus.INTERNAL_SERVER_ERROR,
                "The server had an error while it processed the request.",
                null,
                "internal_error");
    }

    /** What an engine's failure is to a client. */
    static ApiError from(EngineException e) {
        String message = String.valueOf(e.getMessage());
        return switch (e.code()) {
            case INVALID_REQUEST -> invalid(e.param(), message);
            case CONTEXT_LENGTH_EXCEEDED ->
                    of(
                            HttpResponseStatus.BAD_REQUEST,
                            message,
                            e.param(),
                            "context_length_exceeded");
            case QUEUE_FULL ->
                    of(HttpResponseStatus.TOO_MANY_REQUESTS, message, null, "queue_full");
            case CLOSED -> draining();
            case NOT_FINITE ->
                    of(
                            HttpResponseStatus.INTERNAL_SERVER_ERROR,
                            "The model's output for this request is not finite.",
                            null,
                            "not_finite");
            case DEVICE_LOST -> dead();
            case INVALID_MODEL,
                    UNSUPPORTED_MODEL,
                    WEIGHTS_DO_NOT_FIT,
                    WORKSPACE_DOES_NOT_FIT,
                    KV_DOES_NOT_FIT,
                    INTERNAL ->
                    internal();
        };
    }

    private static String typeOf(int status) {
        return switch (status) {
            case 401 -> "authentication_error";
            case 403 -> "permission_error";
            case 429 -> "rate_limit_error";
            case 503 -> "service_unavailable_error";
            case 504 -> "timeout_error";
            default -> status >= 500 ? "server_error" : "invalid_request_error";
        };
    }

    HttpResponseStatus status() {
        return HttpResponseStatus.valueOf(status);
    }

    /** True if a second try cannot go better, although the status says it might. */
    boolean isFinal() {
        return status == 500;
    }

    @Nullable String code() {
        return code;
    }

    /** The body: {@code {"error":{…}}}. */
    String json() {
        JsonOut out = new JsonOut();
        out.open().name("error").open();
        out.field("message", String.valueOf(getMessage())).field("type", type);
        out.field("param", param).field("code", code);
        return out.close().close().toString();
    }
}
