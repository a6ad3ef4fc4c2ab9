package io.cortado.server;

import io.cortado.api.Engine;
import io.cortado.api.EngineException;
import io.cortado.api.EngineStats;
import io.netty.handler.codec.http.HttpHeaders;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * Headers of answers that a model has to do with, errors included: where the answer comes from and
 * how busy it is there, as of when the answer begins. A router learns a replica's load from them
 * between two looks at /metrics.
 */
final class LoadHeaders {
    /** The first served name, percent-encoded where it has to be. */
    static final String MODEL = "x-cortado-model";

    static final String RUNNING = "x-cortado-requests-running";
    static final String WAITING = "x-cortado-requests-waiting";

    /** Part of the KV cache in use, 0 to 1. */
    static final String KV_USAGE = "x-cortado-kv-cache-usage";

    /** The Open Request Cost Aggregation report in vLLM's names, for those who ask for it. */
    static final String REPORT = "endpoint-load-metrics";

    private final Engine engine;
    private final String model;

    LoadHeaders(Engine engine, String servedName) {
        this.engine = engine;
        this.model = URLEncoder.encode(servedName, StandardCharsets.UTF_8).replace("%2F", "/");
    }

    /**
     * @param format the report's, {@code TEXT} or {@code JSON}; another one, or null: no report
     */
    void write(HttpHeaders headers, @Nullable String format) {
        headers.set(MODEL, model);
        EngineStats stats;
        try {
            stats = engine.stats();
        } catch (EngineException e) {
            return; // closed: the answer says so, and there is no load
        }
        String usage = String.format(Locale.ROOT, "%.4f", EngineMetrics.kvUsage(stats));
        headers.set(RUNNING, String.valueOf(stats.running()));
        headers.set(WAITING, String.valueOf(stats.waiting()));
        headers.set(KV_USAGE, usage);
        String report = report(format == null ? "" : format, usage, stats.waiting());
        if (!report.isEmpty()) {
            headers.set(REPORT, report);
        }
    }

    private static String report(String format, String usage, int waiting) {
        return switch (format.toUpperCase(Locale.ROOT)) {
            case "TEXT" ->
                    "TEXT named_metrics.kv_cache_usage_perc=%s, named_metrics.num_requests_waiting=%d"
                            .formatted(usage, waiting);
            case "JSON" ->
                    "JSON {\"named_metrics\":{\"kv_cache_usage_perc\":%s,\"num_requests_waiting\":%d}}"
                            .formatted(usage, waiting);
            default -> "";
        };
    }
}
