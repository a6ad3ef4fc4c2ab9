package io.cortado.server;

import io.cortado.api.Embedding;
import io.cortado.api.Engine;
import io.cortado.api.FinishReason;
import io.cortado.api.GenerationEvent.Completed;
import io.cortado.api.RequestReport;
import io.cortado.api.Timings;
import io.cortado.api.Usage;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/** What /metrics tells: our names, and vLLM's where gateways and dashboards read them. */
final class ServerMetrics {
    private static final double[] TTFT = {
        0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20,
        40, 80, 160, 640, 2560
    };
    private static final double[] TPOT = {
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5,
        5, 7.5, 10, 20, 40, 80
    };
    private static final double[] LATENCY = {
        0.01, 0.05, 0.1, 0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240,
        480, 960, 1920, 7680
    };
    private static final double[] TOKENS = {
        1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000
    };
    private static final double[] CHOICES = {1, 2, 5, 10, 20};

    /** The tenant label of all whom the operator has not named. */
    private static final String OTHERS = "_other";

    private final Metrics registry;
    private final Metrics.Counter http;
    private final Metrics.Counter finished;
    private final LongAdder promptTokens = new LongAdder();
    private final LongAdder generationTokens = new LongAdder();
    private final LongAdder cachedTokens = new LongAdder();
    private final Metrics.Histogram ttft;
    private final Metrics.Histogram gap;
    private final Metrics.Histogram tpot;
    private final Metrics.Histogram e2e;
    private final Metrics.Histogram queue;
    private final Metrics.Histogram promptLength;
    private final Metrics.Histogram outputLength;
    private final Metrics.Histogram choices;
    private final Metrics.Histogram maxTokens;
    private final Metrics.Histogram prefill;
    private final Metrics.Histogram decode;
    private final Metrics.Histogram inference;
    private final Metrics.Histogram computed;
    private final LongAdder corrupted = new LongAdder();
    private final LongAdder slowReaders = new LongAdder();
    private final Set<String> tenants;
    private final Metrics.Counter tenantRequests;
    private final Metrics.Counter tenantTokens;
    private final Map<String, TrafficOptions.SloClass> sloClasses;
    private final Metrics.Counter sloRequests;
    private final Metrics.Counter sloMet;

    ServerMetrics(Engine engine, String servedName, TrafficOptions traffic) {
        registry = new Metrics("model_name=" + Metrics.quoted(servedName));
        EngineMetrics.register(engine, registry);
        http =
                registry.counter(
                        "HTTP answers by status.", "status", "cortado_http_responses_total");
        finished =
                registry.counter(
                                "Answers by why they ended.",
                                "finished_reason",
                                "cortado_request_success_total",
                                "vllm:request_success_total")
                        .with("stop")
                        .with("length")
                        .with("abort")
                        .with("error");
        counter("prompt_tokens_total", "Prompt tokens of answered requests.", promptTokens);
        counter("generation_tokens_total", "Output tokens.", generationTokens);
        counter("prompt_tokens_cached_total", "Prompt tokens from the cache.", cachedTokens);
        ttft = histogram("time_to_first_token_seconds", "Arrival to the first token.", TTFT);
        gap =
                registry.histogram(
                        "Time between output tokens.",
                        TPOT,
                        "cortado_inter_token_latency_seconds",
                        "vllm:inter_token_latency_seconds",
                        "vllm:time_per_output_token_seconds");
        tpot =
                histogram(
                        "request_time_per_output_token_seconds",
                        "A request's mean time per token after its first.",
                        TPOT);
        e2e = histogram("e2e_request_latency_seconds", "Arrival to the end.", LATENCY);
        queue = histogram("request_queue_time_seconds", "Arrival to the first step.", LATENCY);
        promptLength = histogram("request_prompt_tokens", "Prompt tokens of a request.", TOKENS);
        outputLength =
                histogram("request_generation_tokens", "Output tokens of a request.", TOKENS);
        choices = histogram("request_params_n", "Answers asked for.", CHOICES);
        maxTokens = histogram("request_params_max_tokens", "Output tokens asked for.", TOKENS);
        prefill = histogram("request_prefill_time_seconds", "First step to first token.", LATENCY);
        decode = histogram("request_decode_time_seconds", "First token to the end.", LATENCY);
        inference = histogram("request_inference_time_seconds", "First step to the end.", LATENCY);
        computed =
                histogram(
                        "request_prefill_kv_computed_tokens",
                        "Prompt tokens of a request that the cache did not hold.",
                        TOKENS);
        counter("corrupted_requests_total", "Requests whose logits were not finite.", corrupted);
        registry.counterOf(
                "Clients given up because they did not read their answer.",
                slowReaders::sum,
                "cortado_slow_readers_total");
        tenants = traffic.tenants();
        tenantRequests = perTenant("Requests of a tenant.", "cortado_tenant_requests_total");
        tenantTokens =
                perTenant("Prompt and output tokens of a tenant.", "cortado_tenant_tokens_total");
        sloClasses = traffic.sloClasses();
        sloRequests = perClass("Requests of a class.", "cortado_slo_requests_total");
        sloMet = perClass("Those of them that met its targets.", "cortado_slo_met_total");
    }

    /** Tenants that nobody named to the server share one line: clients make the others up. */
    private Metrics.Counter perTenant(String help, String name) {
        Metrics.Counter counter = registry.counter(help, "tenant", name).with(OTHERS);
        tenants.forEach(counter::with);
        return counter;
    }

    private Metrics.Counter perClass(String help, String name) {
        Metrics.Counter counter = registry.counter(help, "slo_class", name);
        sloClasses.keySet().forEach(counter::with);
        return counter;
    }

    private void counter(String name, String help, LongAdder value) {
        registry.counterOf(help, value::sum, "cortado_" + name, "vllm:" + name);
    }

    private Metrics.Histogram histogram(String name, String help, double[] bounds) {
        return registry.histogram(help, bounds, "cortado_" + name, "vllm:" + name);
    }

    void answered(int status) {
        http.add(String.valueOf(status), 1);
    }

    /** The first token of a prompt came: told at once, whatever becomes of the request. */
    void firstToken(long nanos) {
        ttft.observe(nanos / 1e9);
    }

    /** {@code tokens} came {@code nanos} after those before them. */
    void tokens(long nanos, int tokens) {
        gap.observe(nanos / 1e9 / tokens, tokens);
    }

    void finished(FinishReason reason) {
        finished.add(reason.apiName(), 1);
    }

    void aborted() {
        finished.add("abort", 1);
    }

    /** A prompt was pooled: nothing was drawn. */
    void embedded(Embedding embedding) {
        finished.add("stop", 1);
        promptTokens.add(embedding.promptTokens());
        e2e.observe(embedding.timings().e2eNanos() / 1e9);
        queue.observe(embedding.timings().queuedNanos() / 1e9);
        promptLength.observe(embedding.promptTokens());
    }

    void failed() {
        finished.add("error", 1);
    }

    void slowReader() {
        slowReaders.increment();
    }

    void corrupted() {
        corrupted.increment();
    }

    void completed(Completed completed, Ask ask) {
        Usage usage = completed.usage();
        Timings timings = completed.timings();
        promptTokens.add(usage.promptTokens());
        generationTokens.add(usage.completionTokens());
        cachedTokens.add(usage.cachedTokens());
        if (usage.completionTokens() > 1) {
            tpot.observe(timings.tpotNanos() / 1e9);
        }
        times(timings);
        promptLength.observe(usage.promptTokens());
        outputLength.observe(usage.completionTokens());
        computed.observe(usage.promptTokens() - usage.cachedTokens());
        choices.observe(ask.n());
        if (ask.maxTokens() != Integer.MAX_VALUE) {
            maxTokens.observe(ask.maxTokens());
        }
        tenant(completed.report(), usage);
        slo(ask.sloClass(), timings);
    }

    private void times(Timings timings) {
        e2e.observe(timings.e2eNanos() / 1e9);
        queue.observe(timings.queuedNanos() / 1e9);
        prefill.observe((timings.ttftNanos() - timings.queuedNanos()) / 1e9);
        decode.observe((timings.e2eNanos() - timings.ttftNanos()) / 1e9);
        inference.observe((timings.e2eNanos() - timings.queuedNanos()) / 1e9);
    }

    private void tenant(RequestReport report, Usage usage) {
        String label = tenants.contains(report.tenant()) ? report.tenant() : OTHERS;
        tenantRequests.add(label, 1);
        tenantTokens.add(label, usage.totalTokens());
    }

    private void slo(@Nullable String name, Timings timings) {
        TrafficOptions.SloClass slo = name == null ? null : sloClasses.get(name);
        if (name == null || slo == null) {
            return;
        }
        sloRequests.add(name, 1);
        boolean isMet =
                timings.ttftNanos() <= slo.ttftMs() * 1e6
                        && timings.tpotNanos() <= slo.tpotMs() * 1e6;
        sloMet.add(name, isMet ? 1 : 0);
    }

    String render() {
        return registry.render();
    }
}
