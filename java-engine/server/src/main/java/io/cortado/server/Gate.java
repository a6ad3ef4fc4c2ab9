package io.cortado.server;

import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaders;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpUtil;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Decides from a request's head alone whether it may come in. */
final class Gate {
    private static final Pattern HOST =
            Pattern.compile("(?:[A-Za-z0-9._-]+|\\[[0-9A-Fa-f:.]+\\])(?::[0-9]{1,5})?");
    private static final Pattern LOOPBACK =
            Pattern.compile("localhost|127\\.[0-9.]+|\\[::1\\]|[a-z0-9.-]+\\.localhost");

    private final ServerOptions options;
    private final boolean isLocal;
    private final byte @Nullable [] key;

    Gate(ServerOptions options) {
        this.options = options;
        String host = options.host();
        this.isLocal =
                LOOPBACK.matcher(host.contains(":") ? "[" + host + "]" : host).matches();
        String apiKey = options.apiKey();
        this.key = apiKey == null ? null : apiKey.getBytes(StandardCharsets.UTF_8);
    }

    /** Checks that hold for every route, known or not. */
    @Nullable ApiError refuses(HttpRequest request, @Nullable Route route) {
        ApiError error = target(request);
        if (error == null) {
            error = host(request);
        }
        if (error == null) {
            error = origin(request.headers());
        }
        boolean needsKey =
                key != null
                        && !request.method().name().equals("OPTIONS")
                        && (route == null || !route.isOpen());
        return error == null && needsKey ? key(request.headers()) : error;
    }

    private static @Nullable ApiError target(HttpRequest request) {
        String uri = request.uri();
        boolean isPath = uri.startsWith("/") && uri.indexOf('#') < 0;
        return isPath ? null : ApiError.invalid(null, "The request target must be a path.");
    }

    private @Nullable ApiError host(HttpRequest request) {
        List<String> hosts = request.headers().getAll(HttpHeaderNames.HOST);
        boolean isOld = request.protocolVersion().minorVersion() == 0;
        if (hosts.isEmpty() && isOld) {
            return null;
        }
        if (hosts.size() != 1 || !HOST.matcher(hosts.getFirst()).matches()) {
            return ApiError.invalid(null, "The request must have one valid Host header.");
        }
        if (isLocal && !isKnown(hosts.getFirst())) {
            return forbidden(
                    "The server listens locally and does not serve this Host (see --allowed-hosts).");
        }
        return null;
    }

    private boolean isKnown(String hostAndPort) {
        String host = hostAndPort.replaceFirst(":[0-9]+$", "").toLowerCase(Locale.ROOT);
        return LOOPBACK.matcher(host).matches()
                || options.allowedHosts().contains(host)
                || host.equals(options.host());
    }

    /** A web page elsewhere must not reach a local server through its visitor's browser. */
    private @Nullable ApiError origin(HttpHeaders headers) {
        String origin = headers.get(HttpHeaderNames.ORIGIN);
        if (origin == null || options.allowedOrigins().contains(origin)) {
            return null;
        }
        String host = origin.replaceFirst("^https?://", "");
        boolean isSame = host.equals(headers.get(HttpHeaderNames.HOST)) && !host.equals(origin);
        if (isSame || !isLocal) {
            return null;
        }
        boolean isWeb = !host.equals(origin) && HOST.matcher(host).matches();
        return isWeb && isKnown(host)
                ? null
                : forbidden("This Origin is not allowed (see --allowed-origins).");
    }

    private static ApiError forbidden(String message) {
        return ApiError.of(HttpResponseStatus.FORBIDDEN, message, null, "forbidden");
    }

    private @Nullable ApiError key(HttpHeaders headers) {
        String given = headers.get(HttpHeaderNames.AUTHORIZATION, "");
        boolean isBearer = given.regionMatches(true, 0, "Bearer ", 0, 7);
        byte[] token =
                (isBearer ? given.substring(7).strip() : "").getBytes(StandardCharsets.UTF_8);
        boolean isRight = key != null && MessageDigest.isEqual(sha256(key), sha256(token));
        return isRight
                ? null
                : ApiError.of(
                        HttpResponseStatus.UNAUTHORIZED,
                        "The API key is missing or wrong.",
                        null,
                        "invalid_api_key");
    }

    /** Equal lengths, so that the time of the comparison does not tell the key's length. */
    private static byte[] sha256(byte[] bytes) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(bytes);
        } catch (java.security.NoSuchAlgorithmException e) {
            throw new IllegalStateException("every JDK has SHA-256", e);
        }
    }

    /** What a POST's body must be. */
    static @Nullable ApiError body(HttpRequest request, ServerOptions.Limits limits) {
        HttpHeaders headers = request.headers();
        String encoding = headers.get(HttpHeaderNames.CONTENT_ENCODING);
        if (encoding != null && !encoding.equalsIgnoreCase("identity")) {
            return unsupported("Content-Encoding is not supported; send the body as it is.");
        }
        if (request.method().name().equals("POST") && !isJson(headers)) {
            return unsupported("Content-Type must be application/json in UTF-8.");
        }
        String expect = headers.get(HttpHeaderNames.EXPECT);
        if (expect != null && !expect.equalsIgnoreCase("100-continue")) {
            return ApiError.of(
                    HttpResponseStatus.EXPECTATION_FAILED, "Expect is unknown.", null, null);
        }
        return HttpUtil.getContentLength(request, 0L) > limits.bodyBytes()
                ? Incoming.tooLarge(limits.bodyBytes())
                : null;
    }

    private static boolean isJson(HttpHeaders headers) {
        String[] parts =
                headers.get(HttpHeaderNames.CONTENT_TYPE, "").toLowerCase(Locale.ROOT).split(";", -1);
        boolean isRight = parts[0].strip().equals("application/json");
        for (int i = 1; i < parts.length; i++) {
            String part = parts[i].strip().replace("\"", "");
            isRight &= !part.startsWith("charset=") || part.equals("charset=utf-8");
        }
        return isRight;
    }

    private static ApiError unsupported(String message) {
        return ApiError.of(
                HttpResponseStatus.UNSUPPORTED_MEDIA_TYPE, message, null, "unsupported_media_type");
    }

    /** The Origin to name in CORS headers: one that the operator allows, never a wildcard. */
    @Nullable String corsOrigin(HttpHeaders headers) {
        String origin = headers.get(HttpHeaderNames.ORIGIN);
        return origin != null && options.allowedOrigins().contains(origin) ? origin : null;
    }
}
