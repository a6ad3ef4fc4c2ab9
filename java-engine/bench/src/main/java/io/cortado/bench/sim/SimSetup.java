package io.cortado.bench.sim;

import io.cortado.api.EngineOptions;
import io.cortado.api.Scheduling;
import java.util.List;
import java.util.Map;

/**
 * What is simulated besides the trace.
 *
 * @param options of each engine: its scheduler's part
 * @param tenantWeights what fairness is judged by, and the fair policy goes by
 * @param kvBlocks blocks of 16 tokens that each engine has on its device
 * @param hostBlocks and in host memory
 * @param ttftMs target of an interactive request's first token
 * @param tpotMs and of its later ones
 * @param batchShare share of the requests that are not interactive: their targets are ten times as
 *     long, and their priority is 1 instead of 0
 */
public record SimSetup(
        EngineOptions options,
        Map<String, Double> tenantWeights,
        int replicas,
        RouterKind router,
        int kvBlocks,
        int hostBlocks,
        long ttftMs,
        long tpotMs,
        double batchShare) {
    private static final int BATCH_FACTOR = 10;
    private static final long GOLDEN = 0x9E3779B97F4A7C15L;

    /** Which of several engines takes a request. */
    public enum RouterKind {
        ROUND_ROBIN,
        LEAST_LOADED,
        PREFIX
    }

    /** Of the fair policy, in the order of the names. */
    double[] weights(List<String> tenants) {
        return tenants.stream()
                .mapToDouble(name -> tenantWeights.getOrDefault(name, 1.0))
                .toArray();
    }

    /** The same with another policy. */
    public SimSetup policy(EngineOptions.SchedulingPolicy policy) {
        EngineOptions others = options.schedulingPolicy(policy);
        return new SimSetup(
                policy == EngineOptions.SchedulingPolicy.FAIR
                        ? others.tenantWeights(tenantWeights)
                        : others,
                tenantWeights,
                replicas,
                router,
                kvBlocks,
                hostBlocks,
                ttftMs,
                tpotMs,
                batchShare);
    }

    /** The same with so many blocks on the device of each engine. */
    public SimSetup kvBlocks(int blocks) {
        return new SimSetup(
                options,
                tenantWeights,
                replicas,
                router,
                blocks,
                hostBlocks,
                ttftMs,
                tpotMs,
                batchShare);
    }

    /** Spread evenly over the rows. */
    boolean isBatch(int row) {
        return (((row + 1) * GOLDEN) >>> 11) * 0x1p-53 < batchShare;
    }

    Scheduling scheduling(int row, String tenant) {
        int factor = isBatch(row) ? BATCH_FACTOR : 1;
        return Scheduling.DEFAULT
                .tenant(tenant)
                .priority(isBatch(row) ? 1 : 0)
                .targets(ttftMs * factor, tpotMs * factor);
    }

    /** Whether a request kept its targets. */
    boolean isGood(int row, long ttftNanos, double tpotNanos) {
        double factor = isBatch(row) ? BATCH_FACTOR : 1;
        return ttftNanos <= factor * ttftMs * 1e6 && tpotNanos <= factor * tpotMs * 1e6;
    }
}
