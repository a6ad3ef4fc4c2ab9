package io.cortado.server;

import io.cortado.api.Engine;
import io.cortado.api.ExpertLoad;
import io.cortado.api.RequestReport;
import io.netty.handler.codec.http.HttpResponseStatus;
import java.util.List;

/**
 * What was recorded of single requests, how experts are loaded, and a way to empty the prefix
 * cache. There only where the operator asked for them; they need the API key, and tell numbers,
 * never prompts.
 */
final class DebugRoutes {
    private static final String REQUESTS = "/debug/requests";
    private static final String EXPERTS = "/debug/experts";
    private static final int MAX_LISTED = 100;

    private final Engine engine;

    DebugRoutes(Engine engine) {
        this.engine = engine;
    }

    List<Route> routes() {
        return List.of(
                Route.get(REQUESTS, false, this::latest),
                Route.get(REQUESTS + "/", false, this::one),
                Route.get(EXPERTS, false, this::experts),
                Route.get(EXPERTS + ".txt", false, this::expertText),
                Route.post("/reset_prefix_cache", this::resetPrefixCache));
    }

    private void latest(Exchange exchange) {
        answer(exchange, engine.reports(MAX_LISTED));
    }

    /** By the id of the answer, or that of the header x-cortado-request-id. */
    private void one(Exchange exchange) {
        String asked = exchange.head().path().substring(REQUESTS.length() + 1);
        String id = "req-" + asked.substring(asked.lastIndexOf('-') + 1);
        List<RequestReport> found =
                engine.reports(Integer.MAX_VALUE).stream()
                        .filter(report -> report.id().equals(id))
                        .toList();
        if (found.isEmpty()) {
            throw ApiError.of(
                    HttpResponseStatus.NOT_FOUND,
                    "No live or recent request has this id.",
                    null,
                    "not_found");
        }
        answer(exchange, found);
    }

    private void experts(Exchange exchange) {
        exchange.answer(HttpResponseStatus.OK, ExpertTable.json(loads()));
    }

    /** The same for people. */
    private void expertText(Exchange exchange) {
        exchange.answer(
                HttpResponseStatus.OK, "text/plain; charset=utf-8", ExpertTable.text(loads()));
    }

    private List<ExpertLoad> loads() {
        List<ExpertLoad> loads = engine.expertLoads();
        if (loads.isEmpty()) {
            throw ApiError.of(
                    HttpResponseStatus.NOT_FOUND, "The model has no experts.", null, "not_found");
        }
        return loads;
    }

    private static void answer(Exchange exchange, List<RequestReport> reports) {
        JsonOut out = new JsonOut().open().name("requests").openArray();
        reports.forEach(report -> ReportJson.write(out, report));
        exchange.answer(HttpResponseStatus.OK, out.closeArray().close().toString());
    }

    private void resetPrefixCache(Exchange exchange) {
        engine.resetPrefixCache();
        exchange.answer(
                HttpResponseStatus.OK,
                new JsonOut().open().field("status", "ok").close().toString());
    }
}
