package io.cortado.bench;

import io.cortado.engine.StepBed;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/** The engine's step over an executor that takes no time; for the gc profiler. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.SingleShotTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = SchedulerJmh.WARM_UP, batchSize = StepBed.MAX_STEPS)
@Measurement(iterations = SchedulerJmh.MEASURED, batchSize = StepBed.MAX_STEPS)
@Fork(1)
public class SchedulerJmh {
    static final int WARM_UP = 15;
    static final int MEASURED = 10;

    @Param({"64", "256"})
    public int running;

    private final Deque<StepBed> beds = new ArrayDeque<>();
    private StepBed bed = new StepBed(1, 0);

    /** All beds before the first iteration, so that no iteration's bytes are theirs. */
    @Setup(Level.Trial)
    public void build() {
        for (int i = 0; i < WARM_UP + MEASURED; i++) {
            beds.add(new StepBed(running, running));
        }
    }

    @Setup(Level.Iteration)
    public void next() {
        bed = beds.remove();
    }

    /** One iteration is MAX_STEPS calls. */
    @Benchmark
    public void step() {
        bed.step();
    }
}
