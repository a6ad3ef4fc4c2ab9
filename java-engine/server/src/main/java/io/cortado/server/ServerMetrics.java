package io.cortado.server;

import io.cortado.api.Embedding;
import io.cortado.api.Engine;
import io.cortado.api.EngineStats;
import io.cortado.api.FinishReason;
import io.cortado.api.Timings;
import io.cortado.api.Usage;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.ToDoubleFunction;

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

    ServerMetrics(Engine engine, String servedName) {
        registry = new Metrics("model_name=" + Metrics.quoted(servedName));
        engineGauges(engine);
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
    }

    private void engineGauges(Engine engine) {
        gauge(engine, "num_requests_running", "Sequences in the batch.", EngineStats::running);
        gauge(engine, "num_requests_waiting", "Sequences that wait.", EngineStats::waiting);
        registry.gauge(
                "Part of the KV cache in use, 0 to 1.",
                () -> read(engine, ServerMetrics::kvUsage),
                "cortado_kv_cache_usage_perc",
                "vllm:kv_cache_usage_perc",
                "vllm:gpu_cache_usage_perc");
        registry.counterOf(
                "Sequences thrown back to waiting.",
                () -> read(engine, EngineStats::preemptions),
                "cortado_num_preemptions_total",
                "vllm:num_preemptions_total");
        registry.counterOf(
                "Steps run.", () -> read(engine, EngineStats::steps), "cortado_steps_total");
        registry.counterOf(
                "Sequences over all steps.",
                () -> read(engine, EngineStats::scheduledSeqs),
                "cortado_scheduled_sequences_total");
        registry.counterOf(
                "Time of the step loop's own work.",
                () -> read(engine, stats -> stats.hostNanos() / 1e9),
                "cortado_host_seconds_total");
    }

    private static double kvUsage(EngineStats stats) {
        return stats.blocksTotal() == 0 ? 0 : (double) stats.blocksUsed() / stats.blocksTotal();
    }

    private void gauge(
            Engine engine, String name, String help, ToDoubleFunction<EngineStats> value) {
        registry.gauge(help, () -> read(engine, value), "cortado_" + name, "vllm:" + name);
    }

    private static double read(Engine engine, ToDoubleFunction<EngineStats> value) {
        return value.applyAsDouble(engine.stats());
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

    void completed(Usage usage, Timings timings, int n) {
        promptTokens.add(usage.promptTokens());
        generationTokens.add(usage.completionTokens());
        cachedTokens.add(usage.cachedTokens());
        if (usage.completionTokens() > 0) {
            ttft.observe(timings.ttftNanos() / 1e9);
        }
        if (usage.completionTokens() > 1) {
            tpot.observe(timings.tpotNanos() / 1e9);
        }
        e2e.observe(timings.e2eNanos() / 1e9);
        queue.observe(timings.queuedNanos() / 1e9);
        promptLength.observe(usage.promptTokens());
        outputLength.observe(usage.completionTokens());
        choices.observe(n);
    }

    String render() {
        return registry.render();
    }
}
