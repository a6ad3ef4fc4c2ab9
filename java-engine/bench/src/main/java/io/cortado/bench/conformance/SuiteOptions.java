package io.cortado.bench.conformance;

import java.util.Map;

/**
 * How a suite is run.
 *
 * @param limit the most cases of each file
 * @param strict whether a refused case is a failure
 * @param engineFlags the engine's own flags, for suites that start one
 */
public record SuiteOptions(int limit, boolean strict, Map<String, String> engineFlags) {
    public static final SuiteOptions DEFAULT = new SuiteOptions(Integer.MAX_VALUE, false, Map.of());

    public SuiteOptions {
        if (limit < 1) {
            throw new IllegalArgumentException("limit must be positive: limit=" + limit);
        }
        engineFlags = Map.copyOf(engineFlags);
    }
}
