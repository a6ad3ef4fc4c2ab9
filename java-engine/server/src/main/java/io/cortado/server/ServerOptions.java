package io.cortado.server;

import io.cortado.api.EmbeddingParams;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Where and how a server listens.
 *
 * @param host address to bind; a loopback address also switches the Host and Origin check on
 * @param port 0: any free one
 * @param servedModelNames names that requests may use, the first is the one that answers carry;
 *     empty: the engine's own name
 * @param apiKey asked for on all routes but /health and /ready; null: none
 * @param allowedHosts Host names that are right beside loopback ones
 * @param allowedOrigins web origins that browsers may call from
 * @param strict fields that nobody knows are refused instead of ignored
 * @param trustRequestChatTemplate requests may bring a chat template, which may write control
 *     tokens
 * @param accessLog one line per request on the log
 * @param embedding how embeddings are pooled and normalized where a request does not say; its nulls
 *     are the model's own
 * @param traffic how requests of different callers stand beside each other
 * @param limits what a client may take
 */
public record ServerOptions(
        String host,
        int port,
        List<String> servedModelNames,
        @Nullable String apiKey,
        List<String> allowedHosts,
        List<String> allowedOrigins,
        boolean strict,
        boolean trustRequestChatTemplate,
        boolean accessLog,
        EmbeddingParams embedding,
        TrafficOptions traffic,
        Limits limits) {

    /**
     * What a client may take.
     *
     * @param bodyBytes longest request body
     * @param pendingBodyBytes request bodies of all connections together
     * @param connections connections at once
     * @param choices largest {@code n}
     * @param prompts most prompts in one completion request
     * @param requestMs time to send a whole request
     * @param idleMs time that a connection may wait for its next request
     * @param slowReaderMs time that a stream's reader may not read
     * @param pingMs silence after which a stream gets a comment
     * @param generationMs time that one request may take; 0: no limit
     */
    public record Limits(
            int bodyBytes,
            long pendingBodyBytes,
            int connections,
            int choices,
            int prompts,
            long requestMs,
            long idleMs,
            long slowReaderMs,
            long pingMs,
            long generationMs) {

        public Limits {
            requirePositive("bodyBytes", bodyBytes);
            requirePositive("pendingBodyBytes", pendingBodyBytes);
            requirePositive("connections", connections);
            requirePositive("choices", choices);
            requirePositive("prompts", prompts);
            requirePositive("requestMs", requestMs);
            requirePositive("idleMs", idleMs);
            requirePositive("slowReaderMs", slowReaderMs);
            requirePositive("pingMs", pingMs);
        }

        private static void requirePositive(String name, long value) {
            if (value <= 0) {
                throw new IllegalArgumentException(
                        name + " must be positive: " + name + "=" + value);
            }
        }

        public static Limits defaults() {
            return new Limits(
                    8 << 20, 256L << 20, 4096, 16, 1024, 10_000, 60_000, 30_000, 15_000, 0);
        }
    }

    public ServerOptions {
        servedModelNames = List.copyOf(servedModelNames);
        allowedHosts = List.copyOf(allowedHosts);
        allowedOrigins = List.copyOf(allowedOrigins);
        if (port < 0 || port > 65535) {
            throw new IllegalArgumentException("port must be in [0, 65535]: port=" + port);
        }
        if (apiKey != null && apiKey.isEmpty()) {
            throw new IllegalArgumentException("api-key must not be empty");
        }
    }

    /** Loopback, port 8000, no key. */
    public static ServerOptions defaults() {
        return new ServerOptions(
                "127.0.0.1",
                8000,
                List.of(),
                null,
                List.of(),
                List.of(),
                false,
                false,
                true,
                EmbeddingParams.defaults(),
                TrafficOptions.defaults(),
                Limits.defaults());
    }

    public ServerOptions listen(String newHost, int newPort) {
        return new ServerOptions(
                newHost,
                newPort,
                servedModelNames,
                apiKey,
                allowedHosts,
                allowedOrigins,
                strict,
                trustRequestChatTemplate,
                accessLog,
                embedding,
                traffic,
                limits);
    }

    public ServerOptions servedModelNames(List<String> names) {
        return new ServerOptions(
                host,
                port,
                names,
                apiKey,
                allowedHosts,
                allowedOrigins,
                strict,
                trustRequestChatTemplate,
                accessLog,
                embedding,
                traffic,
                limits);
    }

    public ServerOptions apiKey(@Nullable String key) {
        return new ServerOptions(
                host,
                port,
                servedModelNames,
                key,
                allowedHosts,
                allowedOrigins,
                strict,
                trustRequestChatTemplate,
                accessLog,
                embedding,
                traffic,
                limits);
    }

    public ServerOptions allowed(List<String> hosts, List<String> origins) {
        return new ServerOptions(
                host,
                port,
                servedModelNames,
                apiKey,
                hosts,
                origins,
                strict,
                trustRequestChatTemplate,
                accessLog,
                embedding,
                traffic,
                limits);
    }

    public ServerOptions strict(boolean on) {
        return new ServerOptions(
                host,
                port,
                servedModelNames,
                apiKey,
                allowedHosts,
                allowedOrigins,
                on,
                trustRequestChatTemplate,
                accessLog,
                embedding,
                traffic,
                limits);
    }

    public ServerOptions trustRequestChatTemplate(boolean on) {
        return new ServerOptions(
                host,
                port,
                servedModelNames,
                apiKey,
                allowedHosts,
                allowedOrigins,
                strict,
                on,
                accessLog,
                embedding,
                traffic,
                limits);
    }

    public ServerOptions accessLog(boolean on) {
        return new ServerOptions(
                host,
                port,
                servedModelNames,
                apiKey,
                allowedHosts,
                allowedOrigins,
                strict,
                trustRequestChatTemplate,
                on,
                embedding,
                traffic,
                limits);
    }

    public ServerOptions embedding(EmbeddingParams params) {
        return new ServerOptions(
                host,
                port,
                servedModelNames,
                apiKey,
                allowedHosts,
                allowedOrigins,
                strict,
                trustRequestChatTemplate,
                accessLog,
                params,
                traffic,
                limits);
    }

    public ServerOptions traffic(TrafficOptions newTraffic) {
        return new ServerOptions(
                host,
                port,
                servedModelNames,
                apiKey,
                allowedHosts,
                allowedOrigins,
                strict,
                trustRequestChatTemplate,
                accessLog,
                embedding,
                newTraffic,
                limits);
    }

    public ServerOptions limits(Limits newLimits) {
        return new ServerOptions(
                host,
                port,
                servedModelNames,
                apiKey,
                allowedHosts,
                allowedOrigins,
                strict,
                trustRequestChatTemplate,
                accessLog,
                embedding,
                traffic,
                newLimits);
    }
}
