package io.cortado.server.cli;

import io.cortado.api.Engine;
import io.cortado.api.EngineOptions;
import io.cortado.api.GangOptions;
import io.cortado.server.Server;
import io.cortado.server.ServerOptions;
import io.cortado.server.TrafficOptions;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code cortado serve [MODEL]}. */
@Command(
        name = "serve",
        description = "OpenAI-compatible server.",
        mixinStandardHelpOptions = true,
        sortOptions = false)
final class ServeCommand implements Callable<Integer> {
    private static final long FAILURE_POLL_MS = 200;

    private static final Pattern SLO = Pattern.compile("([0-9]{1,12}):([0-9]{1,12})");

    @Parameters(
            arity = "0..1",
            paramLabel = "MODEL",
            description =
                    "checkpoint folder, .gguf file, or ORG/NAME in the local Hugging Face cache;"
                            + " absent: the bundled demo model")
    @Nullable Path model;

    @Option(names = "--host", paramLabel = "ADDRESS", description = "default: ${DEFAULT-VALUE}")
    String host = "127.0.0.1";

    @Option(names = "--port", paramLabel = "N", description = "default: ${DEFAULT-VALUE}; 0: any")
    int port = 8000;

    @Option(
            names = "--served-model-name",
            paramLabel = "NAME",
            arity = "1..*",
            description = "names that requests may use; the first is in the metrics")
    List<String> servedModelNames = List.of();

    @Option(
            names = "--api-key",
            paramLabel = "KEY",
            description = "asked for as a Bearer token (also from CORTADO_API_KEY)")
    @Nullable String apiKey = System.getenv("CORTADO_API_KEY");

    @Option(names = "--allowed-hosts", paramLabel = "NAME", split = ",", description = "Host names")
    List<String> allowedHosts = List.of();

    @Option(
            names = "--allowed-origins",
            paramLabel = "ORIGIN",
            split = ",",
            description = "web origins that browsers may call from")
    List<String> allowedOrigins = List.of();

    @Option(names = "--strict", description = "refuse fields that nobody knows")
    boolean strict;

    @Option(
            names = "--trust-request-chat-template",
            description =
                    "take chat_template from requests; such a template may write control tokens")
    boolean trustRequestChatTemplate;

    @Option(
            names = "--reasoning-parser",
            paramLabel = "auto|none",
            description =
                    "auto (the default): what stands between <think> and </think> is"
                            + " reasoning_content, and a constraint begins behind it, where the"
                            + " model's tokenizer has these tokens")
    String reasoningParser = "auto";

    @Option(names = "--disable-access-log", description = "no line per request")
    boolean disableAccessLog;

    @Option(
            names = "--shutdown-timeout",
            paramLabel = "SECONDS",
            description =
                    "grace for running requests at SIGTERM; a second SIGTERM ends all at"
                            + " once; default: ${DEFAULT-VALUE}")
    int shutdownTimeout = 30;

    @Option(
            names = "--slow-reader-timeout-s",
            paramLabel = "SECONDS",
            description =
                    "a client that does not read its answer for so long is given up;"
                            + " default: ${DEFAULT-VALUE}")
    double slowReaderTimeoutS = ServerOptions.Limits.defaults().slowReaderMs() / 1e3;

    @Option(
            names = "--slo-class",
            paramLabel = "NAME=TTFT:TPOT",
            description = "targets in ms that requests ask for by slo_class; may be repeated")
    Map<String, String> sloClasses = Map.of();

    @Option(
            names = "--debug-requests",
            description =
                    "GET /debug/requests for explain, GET /debug/experts (and .txt), POST"
                            + " /reset_prefix_cache")
    boolean debugRequests;

    @Option(
            names = "--kv-events",
            paramLabel = "none|sse",
            description =
                    "sse: GET /v1/kv-events tells what the prefix cache gains and loses, for"
                            + " routers; it holds the ids of prompts; default: none")
    String kvEvents = "none";

    @Spec CommandSpec spec = CommandSpec.create(); // picocli puts the command's own here

    @Mixin RecordFlag recordFlag = new RecordFlag();

    @Mixin EngineFlags engineFlags = new EngineFlags();

    @Mixin PoolerFlags poolerFlags = new PoolerFlags();

    @Override
    public Integer call() throws IOException, InterruptedException {
        EngineOptions engineOptions = engineFlags.options();
        if (!engineOptions.gang().serves()) {
            return follow(engineOptions);
        }
        List<String> names =
                servedModelNames.isEmpty() ? engineFlags.names(model) : servedModelNames;
        ServerOptions options =
                ServerOptions.defaults()
                        .listen(host, port)
                        .servedModelNames(names)
                        .apiKey(apiKey == null || apiKey.isEmpty() ? null : apiKey)
                        .allowed(allowedHosts, allowedOrigins)
                        .strict(strict)
                        .trustRequestChatTemplate(trustRequestChatTemplate)
                        .splitsReasoning(splitsReasoning())
                        .accessLog(!disableAccessLog)
                        .traffic(traffic())
                        .limits(
                                ServerOptions.Limits.defaults()
                                        .slowReaderMs((long) (slowReaderTimeoutS * 1e3)))
                        .embedding(poolerFlags.params());
        Engine engine = recordFlag.open(spec, engineFlags, model);
        Server server;
        try {
            server = Server.start(engine, options);
        } catch (IOException e) {
            engine.close();
            throw e;
        }
        StopSignals.install();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(server, engine), "drain"));
        banner(engine, server, names.isEmpty() ? engine.model().name() : names.getFirst());
        if (engineOptions.gang().worldSize() > 1) {
            awaitFailure(engine);
            return 1; // once what has failed was told: the drain comes first
        }
        new CountDownLatch(1).await();
        return 0;
    }

    /** A rank that serves nobody runs until those that do have ended. */
    private int follow(EngineOptions engineOptions) throws IOException {
        GangOptions gang = engineOptions.gang();
        System.out.println("cortado follows as rank " + gang.rank() + " of " + gang.worldSize());
        System.out.flush();
        Engine.follow(engineFlags.folder(model), engineOptions);
        System.out.println("rank " + gang.rank() + " has ended");
        return 0;
    }

    /** A gang that has failed comes back as a whole, in processes of its own. */
    private static void awaitFailure(Engine engine) throws InterruptedException {
        while (engine.failure() == null) {
            Thread.sleep(FAILURE_POLL_MS);
        }
        System.err.println("error: " + Objects.requireNonNull(engine.failure()).getMessage());
    }

    private boolean splitsReasoning() {
        return switch (reasoningParser) {
            case "auto" -> true;
            case "none" -> false;
            default ->
                    throw new IllegalArgumentException(
                            "reasoning-parser must be auto or none: reasoning-parser="
                                    + reasoningParser);
        };
    }

    private TrafficOptions traffic() {
        Map<String, TrafficOptions.SloClass> classes = new HashMap<>();
        sloClasses.forEach((name, targets) -> classes.put(name, sloClass(name, targets)));
        return new TrafficOptions(
                engineFlags.schedulingPolicy,
                classes,
                engineFlags.tenantWeights.keySet().stream()
                        .sorted()
                        .limit(TrafficOptions.MAX_NAMES)
                        .collect(Collectors.toSet()),
                debugRequests,
                tellsKvEvents());
    }

    private boolean tellsKvEvents() {
        boolean tells =
                switch (kvEvents) {
                    case "none" -> false;
                    case "sse" -> true;
                    default ->
                            throw new IllegalArgumentException(
                                    "kv-events must be none or sse: kv-events=" + kvEvents);
                };
        if (tells && !engineFlags.prefixCaching) {
            throw new IllegalArgumentException(
                    "kv-events=sse needs prefix caching: leave --no-enable-prefix-caching out");
        }
        return tells;
    }

    private static TrafficOptions.SloClass sloClass(String name, String targets) {
        Matcher matcher = SLO.matcher(targets);
        if (!matcher.matches()) {
            throw new IllegalArgumentException(
                    "slo-class must be NAME=TTFT:TPOT in ms, as chat=500:50: slo-class="
                            + name
                            + "="
                            + targets);
        }
        return new TrafficOptions.SloClass(
                Long.parseLong(matcher.group(1)), Long.parseLong(matcher.group(2)));
    }

    private void banner(Engine engine, Server server, String name) {
        String shown = host.equals("0.0.0.0") || host.equals("::") ? "127.0.0.1" : host;
        String url =
                "http://" + (shown.contains(":") ? "[" + shown + "]" : shown) + ":" + server.port();
        System.out.println(
                "cortado serves "
                        + name
                        + " ("
                        + engine.model().architecture()
                        + ", "
                        + engine.model().device()
                        + ") on "
                        + url);
        String key = apiKey == null || apiKey.isEmpty() ? "" : " -H \"authorization: Bearer $KEY\"";
        System.out.println(
                "try: curl -N "
                        + url
                        + "/v1/chat/completions -H 'content-type: application/json'"
                        + key
                        + " -d '{\"model\":\""
                        + name
                        + "\",\"messages\":[{\"role\":\"user\",\"content\":\"What is paged attention?\"}],"
                        + "\"stream\":true}'");
        System.out.flush();
    }

    /**
     * A JVM that a signal ends exits with 128 + the signal's number, whatever its hooks do; a drain
     * that went well is a success, hence the halt.
     */
    private void stop(Server server, Engine engine) {
        int code = 1;
        try {
            System.err.println("draining: at most " + shutdownTimeout + " s");
            server.drain(shutdownTimeout * 1000L);
            server.close();
            code = engine.failure() == null ? 0 : 1;
            engine.close();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            System.err.println("stopped");
            Runtime.getRuntime().halt(code);
        }
    }
}
