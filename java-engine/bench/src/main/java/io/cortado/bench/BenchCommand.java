package io.cortado.bench;

import io.cortado.api.EngineException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** What every benchmark shares: its flags, its table, its RESULT lines and its exit code. */
abstract class BenchCommand implements Callable<Integer> {
    @Parameters(arity = "0..1", paramLabel = "MODEL", description = "default: the demo model")
    @Nullable Path model;

    @Mixin EngineFlags engine = new EngineFlags();

    @Option(names = "--json", paramLabel = "FILE", description = "the results as JSON as well")
    @Nullable Path json;

    @Option(names = "--runs", description = "measured runs; the median counts")
    int runs = 5;

    @Option(names = "--seed", description = "of prompts, inputs and arrivals")
    long seed = 1;

    PrintStream out = System.out;

    /** Prints the table and fills in the results. */
    abstract void run(Results results) throws Exception;

    @Override
    public final Integer call() throws Exception {
        Results results = new Results();
        try {
            require(runs >= 1 && runs <= 10_000, "runs", "in [1, 10000]", runs);
            out.println("machine: " + Machine.describe());
            run(results);
        } catch (BenchException | EngineException e) {
            System.err.println("error: " + e.getMessage());
            return 2;
        }
        out.println();
        results.print(out);
        if (json != null) {
            results.writeJson(json);
        }
        return results.failed() ? 1 : 0;
    }

    static void require(boolean holds, String flag, String limit, Object value) {
        if (!holds) {
            throw new BenchException("--" + flag + " must be " + limit + ": " + flag + "=" + value);
        }
    }
}
