package io.cortado.server;

import io.cortado.api.Engine;
import io.cortado.api.ModelInfo;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.QueryStringDecoder;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/** Every path that the server knows, and what it answers. */
final class Routes {
    private static final String MODELS = "/v1/models/";

    private final Engine engine;
    private final ModelInfo model;
    private final List<String> names;
    private final ServerOptions options;
    private final ServerMetrics metrics;
    private final RequestReader reader;
    private final EmbeddingRun embeddingRun;
    private final BooleanSupplier isDraining;
    private final long created = System.currentTimeMillis() / 1000;
    private final LoadHeaders load;
    private final List<Route> routes;

    Routes(
            Engine engine,
            List<String> names,
            ServerOptions options,
            ServerMetrics metrics,
            BooleanSupplier isDraining) {
        this.engine = engine;
        this.model = engine.model();
        this.names = names;
        this.options = options;
        this.metrics = metrics;
        this.reader =
                new RequestReader(
                        model,
                        names,
                        options,
                        new ChatConstraints(
                                new HermesTemplate(engine),
                                options.splitsReasoning() ? model.reasoning() : null));
        this.embeddingRun = new EmbeddingRun(engine, metrics, options.limits().generationMs());
        this.isDraining = isDraining;
        List<Route> all = new ArrayList<>();
        if (options.traffic().debug()) {
            all.addAll(new DebugRoutes(engine).routes());
        }
        all.addAll(
                List.of(
                        Route.post("/v1/chat/completions", this::chat),
                        Route.post("/v1/completions", this::completion),
                        Route.post("/v1/embeddings", this::embeddings),
                        Route.get("/v1/models", false, this::models),
                        Route.get(MODELS, false, this::oneModel),
                        Route.post("/tokenize", this::tokenize),
                        Route.post("/detokenize", this::detokenize),
                        Route.get("/health", true, this::health),
                        Route.get("/ready", true, this::ready),
                        Route.get("/health/ready", true, this::ready),
                        Route.get("/metrics", false, this::metrics),
                        Route.get("/version", false, this::version)));
        if (options.traffic().kvEvents()) {
            all.add(new KvEventRoute(engine, names.getFirst()).route());
        }
        this.load = new LoadHeaders(engine, names.getFirst());
        this.routes = List.copyOf(all);
    }

    @Nullable Route find(String path) {
        for (Route route : routes) {
            if (route.matches(path)) {
                return route;
            }
        }
        return null;
    }

    private void tellLoad(Exchange exchange) {
        exchange.headers(headers -> load.write(headers, exchange.head().hints().loadFormat()));
    }

    private void chat(Exchange exchange) throws InterruptedException {
        tellLoad(exchange);
        Ask ask = reader.chat(Json.object(exchange.body()), exchange.head());
        run(exchange, ask, new ChatFormat(id(exchange), ask, engine));
    }

    private void completion(Exchange exchange) throws InterruptedException {
        tellLoad(exchange);
        Ask ask = reader.completion(Json.object(exchange.body()), exchange.head());
        run(exchange, ask, new CompletionFormat(id(exchange), ask));
    }

    private void embeddings(Exchange exchange) throws InterruptedException {
        tellLoad(exchange);
        EmbeddingAsk ask = reader.embedding(Json.object(exchange.body()), exchange.head());
        requireAlive();
        embeddingRun.run(exchange, ask);
    }

    private void run(Exchange exchange, Ask ask, AnswerFormat format) throws InterruptedException {
        requireAlive();
        new GenerationRun(exchange, ask, format, engine, metrics)
                .run(engine, options.limits().generationMs());
    }

    private static String id(Exchange exchange) {
        return exchange.head().requestId().substring("req-".length());
    }

    private void models(Exchange exchange) {
        JsonOut out = new JsonOut().open().field("object", "list").name("data").openArray();
        for (String name : names) {
            model(out, name);
        }
        exchange.answer(HttpResponseStatus.OK, out.closeArray().close().toString());
    }

    /** The id may hold slashes, as they are or percent-encoded. */
    private void oneModel(Exchange exchange) {
        String id;
        try {
            String raw = exchange.head().path().substring(MODELS.length());
            id = QueryStringDecoder.decodeComponent(raw.replace("+", "%2B"));
        } catch (IllegalArgumentException e) {
            throw ApiError.invalid(null, "The path is not percent-encoded UTF-8.");
        }
        if (!names.contains(id)) {
            throw RequestReader.modelNotFound();
        }
        JsonOut out = new JsonOut();
        model(out, id);
        exchange.answer(HttpResponseStatus.OK, out.toString());
    }

    private void model(JsonOut out, String name) {
        out.open().field("id", name).field("object", "model").field("created", created);
        out.field("owned_by", "cortado").field("root", names.getFirst()).field("parent", null);
        out.field("max_model_len", model.maxModelLen()).close();
    }

    private void tokenize(Exchange exchange) {
        var body = Json.object(exchange.body());
        int[] ids = engine.tokenize(reader.tokenize(body));
        JsonOut out = new JsonOut().open();
        out.field("count", ids.length).field("max_model_len", model.maxModelLen());
        out.name("tokens").ints(ids).name("token_strs");
        if (body.path("return_token_strs").booleanValue(false)) {
            out.openArray();
            for (int id : ids) {
                out.value(engine.tokenText(id));
            }
            out.closeArray();
        } else {
            out.nullValue();
        }
        exchange.answer(HttpResponseStatus.OK, out.close().toString());
    }

    private void detokenize(Exchange exchange) {
        int[] ids = reader.detokenize(Json.object(exchange.body()));
        String text = engine.detokenize(ids, false);
        exchange.answer(
                HttpResponseStatus.OK,
                new JsonOut().open().field("prompt", text).close().toString());
    }

    /** Alive: the engine answers, and has not failed for good. */
    private void health(Exchange exchange) {
        requireAlive();
        status(exchange, engine.stats().guards().isStepSlow() ? "slow" : "ok");
    }

    /** Ready: alive, takes new requests, and its steps end in time. */
    private void ready(Exchange exchange) {
        if (isDraining.getAsBoolean()) {
            throw ApiError.draining();
        }
        requireAlive();
        if (engine.stats().guards().isStepSlow()) {
            throw ApiError.slow();
        }
        status(exchange, "ready");
    }

    private void requireAlive() {
        engine.stats();
        if (engine.failure() != null) {
            throw ApiError.dead();
        }
    }

    private static void status(Exchange exchange, String word) {
        exchange.answer(
                HttpResponseStatus.OK,
                new JsonOut().open().field("status", word).close().toString());
    }

    private void metrics(Exchange exchange) {
        exchange.answer(
                HttpResponseStatus.OK,
                "text/plain; version=0.0.4; charset=utf-8",
                metrics.render());
    }

    private void version(Exchange exchange) {
        exchange.answer(
                HttpResponseStatus.OK,
                new JsonOut().open().field("version", Version.text()).close().toString());
    }
}
