package io.cortado.server;

import io.cortado.api.Engine;
import io.cortado.api.EngineStats;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.DoubleSupplier;
import java.util.function.ToDoubleFunction;

/** What /metrics tells of the engine: read from its counters when it is asked for. */
final class EngineMetrics {
    private final Engine engine;
    private final Metrics registry;

    private EngineMetrics(Engine engine, Metrics registry) {
        this.engine = engine;
        this.registry = registry;
    }

    static void register(Engine engine, Metrics registry) {
        EngineMetrics metrics = new EngineMetrics(engine, registry);
        metrics.requests();
        metrics.cache();
        metrics.steps();
    }

    private void requests() {
        gauge("num_requests_running", "Sequences in the batch.", EngineStats::running);
        gauge("num_requests_waiting", "Sequences that wait.", EngineStats::waiting);
        Map<String, DoubleSupplier> reasons = new LinkedHashMap<>();
        reasons.put("reason=\"capacity\"", () -> read(stats -> stats.waiting() - stats.deferred()));
        reasons.put("reason=\"deferred\"", () -> read(EngineStats::deferred));
        registry.gauges(
                "Sequences that wait, by what for.",
                reasons,
                "cortado_num_requests_waiting_by_reason",
                "vllm:num_requests_waiting_by_reason");
        counter(
                "num_preemptions_total",
                "Sequences thrown back to waiting.",
                EngineStats::preemptions);
    }

    private void cache() {
        EngineStats facts = engine.stats();
        registry.gauge(
                "Part of the KV cache in use, 0 to 1.",
                () -> read(EngineMetrics::kvUsage),
                "cortado_kv_cache_usage_perc",
                "vllm:kv_cache_usage_perc",
                "vllm:gpu_cache_usage_perc");
        registry.info(
                "The KV cache.",
                "block_size=\"%d\",num_gpu_blocks=\"%d\""
                        .formatted(facts.cache().blockTokens(), facts.blocksTotal()),
                "cortado_cache_config_info",
                "vllm:cache_config_info");
        counter(
                "prefix_cache_queries_total",
                "Tokens that the prefix cache was asked for.",
                stats -> stats.cache().queriedTokens());
        counter(
                "prefix_cache_hits_total",
                "Tokens that the prefix cache held.",
                stats -> stats.cache().reusedTokens());
        own(
                "prefix_cache_host_hits_total",
                "Those of them that came back from host memory.",
                stats -> stats.cache().tokensFromHost());
        own(
                "kv_block_evictions_total",
                "KV blocks whose content had to go.",
                stats -> stats.cache().evictions());
        own(
                "kv_block_offloads_total",
                "Those of them that went to host memory.",
                stats -> stats.cache().offloads());
        registry.gauge(
                "KV blocks that nobody uses and that may be asked for again.",
                () -> read(stats -> stats.cache().keptBlocks()),
                "cortado_kv_blocks_kept");
        registry.gauge(
                "KV blocks in host memory.",
                () -> read(stats -> stats.cache().hostBlocks()),
                "cortado_kv_blocks_host");
    }

    private void steps() {
        registry.histogramOf(
                "Tokens of a step.",
                EngineStats.StepTokens.BOUNDS,
                () -> {
                    EngineStats.StepTokens tokens = engine.stats().stepTokens();
                    return new Metrics.Counts(tokens.counts(), tokens.sum());
                },
                "cortado_iteration_tokens_total",
                "vllm:iteration_tokens_total");
        own("steps_total", "Steps run.", EngineStats::steps);
        own("scheduled_sequences_total", "Sequences over all steps.", EngineStats::scheduledSeqs);
        own(
                "computed_prompt_tokens_total",
                "Prompt tokens that steps computed.",
                EngineStats::promptTokens);
        own("host_seconds_total", "The loop's own work.", stats -> stats.hostNanos() / 1e9);
        own("device_seconds_total", "Time of the steps.", stats -> stats.deviceNanos() / 1e9);
    }

    private static double kvUsage(EngineStats stats) {
        return stats.blocksTotal() == 0 ? 0 : (double) stats.blocksUsed() / stats.blocksTotal();
    }

    private void gauge(String name, String help, ToDoubleFunction<EngineStats> value) {
        registry.gauge(help, () -> read(value), "cortado_" + name, "vllm:" + name);
    }

    private void counter(String name, String help, ToDoubleFunction<EngineStats> value) {
        registry.counterOf(help, () -> read(value), "cortado_" + name, "vllm:" + name);
    }

    private void own(String name, String help, ToDoubleFunction<EngineStats> value) {
        registry.counterOf(help, () -> read(value), "cortado_" + name);
    }

    private double read(ToDoubleFunction<EngineStats> value) {
        return value.applyAsDouble(engine.stats());
    }
}
