package io.cortado.server;

import io.cortado.api.Engine;
import io.cortado.api.ExpertLoad;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What /metrics tells of a model's experts; nothing where it has none. */
final class ExpertMetrics {
    /**
     * Lines of one metric. A model with more experts, over all layers, has no lines for single ones
     * here: {@code /debug/experts} tells them.
     */
    static final int MAX_LINES = 1024;

    private final Engine engine;

    ExpertMetrics(Engine engine) {
        this.engine = engine;
    }

    void register(Metrics registry) {
        List<ExpertLoad> loads = engine.expertLoads();
        if (loads.isEmpty()) {
            return;
        }
        registry.gaugesOf(
                "Tokens of a layer's most chosen expert over the mean of all, since the start.",
                this::imbalances,
                "cortado_expert_imbalance");
        registry.countersOf(
                "Choices of experts by tokens, all layers together.",
                () -> Map.of("", (double) total()),
                "cortado_expert_choices_total");
        if (loads.stream().mapToInt(load -> load.tokens().size()).sum() <= MAX_LINES) {
            registry.countersOf(
                    "Tokens that have chosen an expert of a layer.",
                    this::tokens,
                    "cortado_expert_tokens_total");
        }
    }

    private Map<String, Double> imbalances() {
        Map<String, Double> lines = new LinkedHashMap<>();
        for (ExpertLoad load : engine.expertLoads()) {
            lines.put("layer=\"" + load.layer() + "\"", load.imbalance());
        }
        return lines;
    }

    private long total() {
        return engine.expertLoads().stream().mapToLong(ExpertLoad::total).sum();
    }

    private Map<String, Double> tokens() {
        Map<String, Double> lines = new LinkedHashMap<>();
        for (ExpertLoad load : engine.expertLoads()) {
            for (int expert = 0; expert < load.tokens().size(); expert++) {
                lines.put(
                        "layer=\"%d\",expert=\"%d\"".formatted(load.layer(), expert),
                        (double) load.tokens().get(expert));
            }
        }
        return lines;
    }
}
