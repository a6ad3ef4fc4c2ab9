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
 * @param splitsReasoning what a model thinks is taken out of its answers in chats, and a constraint
 *     begins behind it, where the model's tokenizer has markers for it
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
        boolean splitsReasoning,
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
     * @param slowReaderMs time that a client may not read of its answer, before it is given up
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

        private static final int BODY_HEAP_PART = 64;
        private static final long MAX_PENDING_BODY_BYTES = 256L << 20;
        private static final int MAX_BODY_BYTES = 8 << 20;

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

        /**
         * Bodies within a part of the heap that leaves room for what is made of them: JSON as an
         * object takes up to 30 times its text.
         */
        public static Limits defaults() {
            return of(Runtime.getRuntime().maxMemory());
        }

        static Limits of(long heapBytes) {
            long pending = Math.clamp(heapBytes / BODY_HEAP_PART, 1 << 20, MAX_PENDING_BODY_BYTES);
            int body = (int) Math.min(MAX_BODY_BYTES, pending);
            return new Limits(body, pending, 4096, 16, 1024, 10_000, 60_000, 30_000, 15_000, 0);
        }

        public Limits slowReaderMs(long value) {
            return new Limits(
                    bodyBytes,
                    pendingBodyBytes,
                    connections,
                    choices,
                    prompts,
                    requestMs,
                    idleMs,
                    value,
                    pingMs,
                    generationMs);
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
                true,
                EmbeddingParams.defaults(),
                TrafficOptions.defaults(),
                Limits.defaults());
    }

    /** One change at a time: a field is named here, and once in each of three lists. */
    private static final class Fields {
        private String host;
        private int port;
        private List<String> servedModelNames;
        private @Nullable String apiKey;
        private List<String> allowedHosts;
        private List<String> allowedOrigins;
        private boolean strict;
        private boolean trustRequestChatTemplate;
        private boolean splitsReasoning;
        private boolean accessLog;
        private EmbeddingParams embedding;
        private TrafficOptions traffic;
        private Limits limits;

        Fields(ServerOptions from) {
            host = from.host;
            port = from.port;
            servedModelNames = from.servedModelNames;
            apiKey = from.apiKey;
            allowedHosts = from.allowedHosts;
            allowedOrigins = from.allowedOrigins;
            strict = from.strict;
            trustRequestChatTemplate = from.trustRequestChatTemplate;
            splitsReasoning = from.splitsReasoning;
            accessLog = from.accessLog;
            embedding = from.embedding;
            traffic = from.traffic;
            limits = from.limits;
        }

        ServerOptions build() {
            return new ServerOptions(
                    host,
                    port,
                    servedModelNames,
                    apiKey,
                    allowedHosts,
                    allowedOrigins,
                    strict,
                    trustRequestChatTemplate,
                    splitsReasoning,
                    accessLog,
                    embedding,
                    traffic,
                    limits);
        }
    }

    public ServerOptions listen(String host, int port) {
        Fields fields = new Fields(this);
        fields.host = host;
        fields.port = port;
        return fields.build();
    }

    public ServerOptions servedModelNames(List<String> value) {
        Fields fields = new Fields(this);
        fields.servedModelNames = value;
        return fields.build();
    }

    public ServerOptions apiKey(@Nullable String value) {
        Fields fields = new Fields(this);
        fields.apiKey = value;
        return fields.build();
    }

    public ServerOptions allowed(List<String> hosts, List<String> origins) {
        Fields fields = new Fields(this);
        fields.allowedHosts = hosts;
        fields.allowedOrigins = origins;
        return fields.build();
    }

    public ServerOptions strict(boolean value) {
        Fields fields = new Fields(this);
        fields.strict = value;
        return fields.build();
    }

    public ServerOptions trustRequestChatTemplate(boolean value) {
        Fields fields = new Fields(this);
        fields.trustRequestChatTemplate = value;
        return fields.build();
    }

    public ServerOptions splitsReasoning(boolean value) {
        Fields fields = new Fields(this);
        fields.splitsReasoning = value;
        return fields.build();
    }

    public ServerOptions accessLog(boolean value) {
        Fields fields = new Fields(this);
        fields.accessLog = value;
        return fields.build();
    }

    public ServerOptions embedding(EmbeddingParams value) {
        Fields fields = new Fields(this);
        fields.embedding = value;
        return fields.build();
    }

    public ServerOptions traffic(TrafficOptions value) {
        Fields fields = new Fields(this);
        fields.traffic = value;
        return fields.build();
    }

    public ServerOptions limits(Limits value) {
        Fields fields = new Fields(this);
        fields.limits = value;
        return fields.build();
    }
}
