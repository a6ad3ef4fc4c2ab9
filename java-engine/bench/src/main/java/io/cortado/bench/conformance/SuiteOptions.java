package io.cortado.bench.conformance;

import io.cortado.api.EngineOptions;

/**
 * How a suite is run.
 *
 * @param limit the most cases of each file
 * @param strict whether a refused case is a failure
 * @param engine of the engine, for suites that start one
 */
public record SuiteOptions(int limit, boolean strict, EngineOptions engine) {
    public static final SuiteOptions DEFAULT =
            new SuiteOptions(Integer.MAX_VALUE, false, EngineOptions.defaults());

    public SuiteOptions {
        if (limit < 1) {
            throw new IllegalArgumentException("limit must be positive: limit=" + limit);
        }
    }
}
