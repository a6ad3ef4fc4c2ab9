package io.cortado.api;

import java.nio.file.Path;
import java.util.List;

/** Service behind {@link Engine#open}; implemented by {@code io.cortado.engine}. */
public interface EngineProvider {
    /** See {@link Engine#open}. */
    Engine open(Path model, EngineOptions options);

    /** See {@link Engine#follow}. */
    void follow(Path model, EngineOptions options);

    /** See {@link Engine#plan}. */
    EnginePlan plan(Path model, EngineOptions options, PlanLoad load);

    /** See {@link Engine#planRanks}. */
    RankPlan planRanks(Path model, EngineOptions options, RankLoad load);

    /** See {@link Engine#rates}. */
    DeviceRates rates(EngineOptions options, boolean again);

    /** See {@link Engine#devices}. */
    List<DeviceStatus> devices();
}
