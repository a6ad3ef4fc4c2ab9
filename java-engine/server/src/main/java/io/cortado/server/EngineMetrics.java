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
        metrics.drafts();
        metrics.lateMasks();
        metrics.guards();
        new ExpertMetrics(engine).register(registry);
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
        own(
                "kv_block_disk_reads_total",
                "KV blocks that came back from disk.",
                stats -> stats.cache().blocksFromDisk());
        registry.gauge(
                "KV blocks that nobody uses and that may be asked for again.",
                () -> read(stats -> stats.cache().keptBlocks()),
                "cortado_kv_blocks_kept");
        registry.gauge(
                "KV blocks in host memory.",
                () -> read(stats -> stats.cache().hostBlocks()),
                "cortado_kv_blocks_host");
        registry.gauge(
                "KV blocks on disk.",
                () -> read(stats -> stats.cache().diskBlocks()),
                "cortado_kv_blocks_disk");
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

    private void drafts() {
        counter(
                "spec_decode_num_drafts_total",
                "Drafts that were verified, one a sequence and step.",
                stats -> stats.drafts().verified());
        counter(
                "spec_decode_num_draft_tokens_total",
                "Tokens in them.",
                stats -> stats.drafts().tokens());
        counter(
                "spec_decode_num_accepted_tokens_total",
                "Those of them that stood.",
                stats -> stats.drafts().accepted());
        int places = engine.stats().drafts().acceptedAt().size();
        Map<String, DoubleSupplier> positions = new LinkedHashMap<>();
        for (int i = 0; i < places; i++) {
            int place = i;
            positions.put(
                    "position=\"" + place + "\"",
                    () -> read(stats -> stats.drafts().acceptedAt().get(place)));
        }
        if (places > 0) {
            registry.countersOf(
                    "How often the token at each place of a draft stood.",
                    positions,
                    "cortado_spec_decode_num_accepted_tokens_per_pos_total",
                    "vllm:spec_decode_num_accepted_tokens_per_pos_total");
        }
        own(
                "draft_seconds_total",
                "Time that the proposer on the device took.",
                stats -> stats.drafts().draftNanos() / 1e9);
    }

    private void lateMasks() {
        Map<String, DoubleSupplier> outcomes = new LinkedHashMap<>();
        outcomes.put("outcome=\"held\"", () -> read(stats -> stats.lateMasks().held()));
        outcomes.put("outcome=\"kept\"", () -> read(stats -> stats.lateMasks().kept()));
        outcomes.put("outcome=\"redrawn\"", () -> read(stats -> stats.lateMasks().redrawn()));
        registry.countersOf(
                "Rows whose mask was late: not drawn, or drawn without it and kept or redrawn.",
                outcomes,
                "cortado_late_masks_total");
    }

    private void guards() {
        registry.gauge(
                "Tokens of prompts that wait to run for the first time.",
                () -> read(stats -> stats.guards().waitingTokens()),
                "cortado_waiting_prompt_tokens");
        Map<String, DoubleSupplier> bounds = new LinkedHashMap<>();
        bounds.put("bound=\"requests\"", () -> read(stats -> stats.guards().refusedByRequests()));
        bounds.put("bound=\"tokens\"", () -> read(stats -> stats.guards().refusedByTokens()));
        registry.countersOf(
                "Requests refused because too much waited, by the bound that they met.",
                bounds,
                "cortado_queue_refusals_total");
        registry.gauge(
                "Time that the step under way has taken; 0 for one that began a moment ago.",
                () -> read(stats -> stats.guards().stepAgeNanos() / 1e9),
                "cortado_step_age_seconds");
        own(
                "slow_steps_total",
                "Steps that took half of what a step may take, or more.",
                stats -> stats.guards().slowSteps());
        own(
                "unread_requests_total",
                "Requests cancelled because nobody read their output.",
                stats -> stats.guards().unread());
        registry.gauge(
                "1 once the engine has failed and must be restarted.",
                () -> engine.failure() == null ? 0 : 1,
                "cortado_engine_failed");
    }

    static double kvUsage(EngineStats stats) {
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
