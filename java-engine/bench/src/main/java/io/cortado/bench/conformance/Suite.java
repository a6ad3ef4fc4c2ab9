package io.cortado.bench.conformance;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;

/** A set of facts made by others that the engine is run against. */
public interface Suite {
    /** The name on the command line and in the metrics. */
    String name();

    /**
     * Runs all cases under {@code path} (a suite's folder, one group's folder or one file) and
     * prints a line per group.
     */
    Report run(Path path, SuiteOptions options, PrintStream out) throws IOException;
}
