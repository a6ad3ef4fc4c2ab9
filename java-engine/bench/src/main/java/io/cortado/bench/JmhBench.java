package io.cortado.bench;

import io.cortado.engine.StepBed;
import java.util.Collection;
import java.util.Locale;
import org.openjdk.jmh.profile.GCProfiler;
import org.openjdk.jmh.results.Result;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import picocli.CommandLine.Command;

/** The JMH benchmarks with the gc profiler: an independent witness of time and allocation. */
@Command(
        name = "jmh",
        description = "The scheduler under JMH with the gc profiler.",
        mixinStandardHelpOptions = true)
final class JmhBench extends BenchCommand {
    private static final String ALLOCATED = "gc.alloc.rate.norm";

    @Override
    void run(Results results) throws Exception {
        Collection<RunResult> measured =
                new Runner(
                                new OptionsBuilder()
                                        .include(SchedulerJmh.class.getName())
                                        .addProfiler(GCProfiler.class)
                                        .build())
                        .run();
        Table table = new Table("running", "us/step", "bytes/step");
        for (RunResult one : measured) {
            String running = one.getParams().getParam("running");
            double micros = one.getPrimaryResult().getScore() / StepBed.MAX_STEPS;
            Result<?> allocated = one.getSecondaryResults().get(ALLOCATED);
            double bytes = allocated == null ? 0 : allocated.getScore() / StepBed.MAX_STEPS;
            table.row(
                    running,
                    String.format(Locale.ROOT, "%.2f", micros),
                    String.format(Locale.ROOT, "%.2f", bytes));
            results.put("jmh_schedule_" + running + "_us", micros, "us");
            results.put("jmh_schedule_" + running + "_alloc_bytes", bytes, "B/step");
        }
        table.print(out);
    }
}
