package io.cortado.server;

import org.jspecify.annotations.Nullable;

/**
 * What is known of a request before its body.
 *
 * @param requestId made here, unique
 * @param clientRequestId the client's own id where it is harmless; told back, never a key
 * @param method as it came
 * @param path the target without its query
 * @param remote the client's address
 * @param isHttp11 false for HTTP/1.0
 * @param keepAlive the connection stays open afterwards
 * @param corsOrigin the allowed web origin that asks
 * @param allow methods of the path, for 405 and OPTIONS
 */
record RequestHead(
        String requestId,
        @Nullable String clientRequestId,
        String method,
        String path,
        String remote,
        boolean isHttp11,
        boolean keepAlive,
        @Nullable String corsOrigin,
        @Nullable String allow) {}
