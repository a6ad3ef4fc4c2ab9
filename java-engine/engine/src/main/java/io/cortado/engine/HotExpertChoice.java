package io.cortado.engine;

import io.cortado.api.EngineException;
import io.cortado.api.EngineOptions;
import io.cortado.device.Device;
import io.cortado.device.ExpertId;
import io.cortado.device.HotExperts;
import io.cortado.device.Placement;
import io.cortado.model.ModelConfig;
import io.cortado.model.WeightPlan;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Which experts are worth the device's memory while the others are in the host's: those that were
 * chosen most for their bytes, as far as the budget goes. Of each layer one at least stays behind.
 */
final class HotExpertChoice {
    private HotExpertChoice() {}

    /**
     * @param device that computes all but the other experts
     * @throws EngineException INVALID_REQUEST if the file of loads is not of this model
     */
    static HotExperts of(EngineOptions options, Device device, Path model, ModelConfig config) {
        if (options.expertCacheBytes() == 0) {
            return HotExperts.NONE;
        }
        WeightPlan plan =
                WeightPlan.read(
                        Placement.on(device),
                        model,
                        config,
                        MemoryPlan.activations(options),
                        options.dummyWeights());
        Map<ExpertId, Long> bytes = plan.expertBytes();
        return of(read(options.expertLoads(), bytes.keySet()), bytes, options.expertCacheBytes());
    }

    /** An expert and what speaks for it. */
    private record Candidate(ExpertId id, long bytes, long load) {}

    /** Equals come in the model's order. */
    static HotExperts of(Map<ExpertId, Long> loads, Map<ExpertId, Long> bytes, long budget) {
        List<Candidate> ranked = new ArrayList<>();
        Map<Integer, Integer> left = new HashMap<>();
        bytes.forEach((id, size) -> {
            ranked.add(new Candidate(id, size, loads.getOrDefault(id, 0L)));
            left.merge(id.layer(), 1, Integer::sum);
        });
        ranked.sort(Comparator.comparingDouble(c -> -(double) c.load / c.bytes));
        Set<ExpertId> hot = new HashSet<>();
        long room = budget;
        long hits = 0;
        for (Candidate candidate : ranked) {
            boolean isLast = left.getOrDefault(candidate.id.layer(), 0) < 2;
            if (candidate.load > 0 && candidate.bytes <= room && !isLast) {
                hot.add(candidate.id);
                room -= candidate.bytes;
                hits += candidate.load;
                left.merge(candidate.id.layer(), -1, Integer::sum);
            }
        }
        long all = loads.values().stream().mapToLong(Long::longValue).sum();
        return new HotExperts(hot, all == 0 ? 0 : (double) hits / all);
    }

    private static Map<ExpertId, Long> read(String file, Set<ExpertId> experts) {
        Map<ExpertId, Long> loads = new HashMap<>();
        try {
            JsonNode root = JsonMapper.shared().readTree(Files.readString(Path.of(file)));
            for (JsonNode layer : root.path("layers")) {
                int number = 0;
                for (JsonNode tokens : layer.path("tokens")) {
                    ExpertId id = new ExpertId(layer.path("layer").intValue(), number++);
                    loads.put(id, Math.max(0, tokens.longValue()));
                }
            }
        } catch (IOException | JacksonException e) {
            throw refused("cannot be read as what GET /debug/experts answers", file, e);
        }
        if (!loads.keySet().equals(experts)) {
            throw refused(
                    "has %d experts and not the model's %d".formatted(loads.size(), experts.size()),
                    file,
                    null);
        }
        return loads;
    }

    private static EngineException refused(String why, String file, @Nullable Exception cause) {
        return new EngineException(
                EngineException.Code.INVALID_REQUEST,
                "expert-loads " + why + ": expert-loads=" + file,
                "expert-loads",
                cause);
    }
}
