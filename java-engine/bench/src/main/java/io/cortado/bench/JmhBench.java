package io.cortado.bench;

import picocli.CommandLine.Command;

/** The JMH benchmarks with the gc profiler. */
@Command(
        name = "jmh",
        description = "The scheduler under JMH with the gc profiler.",
        mixinStandardHelpOptions = true)
final class JmhBench extends BenchCommand {
    @Override
    void run(Results results) {
        throw new BenchException("the scheduler is not here yet");
    }
}
