package io.cortado.server;

import io.cortado.api.EngineOptions.SchedulingPolicy;
import io.cortado.api.Scheduling;
import java.util.Map;
import java.util.Set;

/**
 * How requests of different callers stand beside each other, and what is told of them.
 *
 * @param policy the engine's own: what it has no use for is refused, not ignored
 * @param sloClasses targets that requests may ask for by name; at most 64
 * @param tenants those with a line of their own in the metrics; all others share one. At most 64
 * @param debug {@code /debug/requests}, {@code /debug/experts} and {@code /reset_prefix_cache} are
 *     there
 * @param kvEvents {@code /v1/kv-events} is there
 */
public record TrafficOptions(
        SchedulingPolicy policy,
        Map<String, SloClass> sloClasses,
        Set<String> tenants,
        boolean debug,
        boolean kvEvents) {
    /** The most classes, and the most tenants. */
    public static final int MAX_NAMES = 64;

    /** Targets in milliseconds, as in {@link Scheduling}. */
    public record SloClass(long ttftMs, long tpotMs) {
        public SloClass {
            Scheduling.DEFAULT.targets(ttftMs, tpotMs); // checks them
        }
    }

    public TrafficOptions {
        sloClasses = Map.copyOf(sloClasses);
        tenants = Set.copyOf(tenants);
        requireFew("slo-class", sloClasses.size());
        requireFew("tenants", tenants.size());
    }

    private static void requireFew(String name, int count) {
        if (count > MAX_NAMES) {
            throw new IllegalArgumentException(
                    name + " must name at most " + MAX_NAMES + ": " + count);
        }
    }

    /** First come, first served; no classes, no tenants, no debug routes. */
    public static TrafficOptions defaults() {
        return new TrafficOptions(SchedulingPolicy.FCFS, Map.of(), Set.of(), false, false);
    }

    public TrafficOptions debug(boolean on) {
        return new TrafficOptions(policy, sloClasses, tenants, on, kvEvents);
    }

    public TrafficOptions kvEvents(boolean on) {
        return new TrafficOptions(policy, sloClasses, tenants, debug, on);
    }
}
