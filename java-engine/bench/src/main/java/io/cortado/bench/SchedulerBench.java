package io.cortado.bench;

import picocli.CommandLine.Command;

/** Java's share of a step. */
@Command(
        name = "scheduler",
        description = "Java's share of a step: microseconds and bytes allocated.",
        mixinStandardHelpOptions = true)
final class SchedulerBench extends BenchCommand {
    @Override
    void run(Results results) {
        throw new BenchException("the scheduler is not here yet");
    }
}
