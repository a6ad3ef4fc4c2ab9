package io.cortado.server;

import io.netty.handler.codec.http.HttpHeaders;
import org.jspecify.annotations.Nullable;

/**
 * What is known of a request before its body.
 *
 * @param requestId made here, unique
 * @param clientRequestId the client's own id where it is harmless; the answer's x-request-id is it
 *     then, it is logged, and never a key
 * @param method as it came
 * @param path the target without its query
 * @param remote the client's address
 * @param isHttp11 false for HTTP/1.0
 * @param keepAlive the connection stays open afterwards
 * @param corsOrigin the allowed web origin that asks
 * @param allow methods of the path, for 405 and OPTIONS
 * @param hints what a gateway says of it
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
        @Nullable String allow,
        Hints hints) {

    /**
     * What a gateway or a router says of the request in headers, unchecked.
     *
     * @param fairnessId whose request it is ({@code x-gateway-inference-fairness-id})
     * @param ttftMs {@code x-slo-ttft-ms}
     * @param tpotMs {@code x-slo-tpot-ms}
     * @param loadFormat {@code endpoint-load-metrics-format}
     * @param lastEventId {@code last-event-id}
     */
    record Hints(
            @Nullable String fairnessId,
            @Nullable String ttftMs,
            @Nullable String tpotMs,
            @Nullable String loadFormat,
            @Nullable String lastEventId) {
        static final String FAIRNESS_ID = "x-gateway-inference-fairness-id";
        static final String TTFT = "x-slo-ttft-ms";
        static final String TPOT = "x-slo-tpot-ms";
        static final String LOAD_FORMAT = "endpoint-load-metrics-format";
        static final String LAST_EVENT_ID = "last-event-id";
        static final Hints NONE = new Hints(null, null, null, null, null);

        static Hints of(HttpHeaders headers) {
            return new Hints(
                    headers.get(FAIRNESS_ID),
                    headers.get(TTFT),
                    headers.get(TPOT),
                    headers.get(LOAD_FORMAT),
                    headers.get(LAST_EVENT_ID));
        }
    }
}
