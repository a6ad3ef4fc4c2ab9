package io.cortado.bench;

import com.sun.management.ThreadMXBean;
import io.cortado.api.DynamicTemperature;
import io.cortado.api.EngineOptions.SchedulingPolicy;
import io.cortado.api.EngineStats;
import io.cortado.api.GenerationRequest;
import io.cortado.api.Penalties;
import io.cortado.api.Xtc;
import io.cortado.engine.StepBed;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.UnaryOperator;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Java's share of a step: schedule, submit and accept. First alone, over an executor that takes no
 * time; then in an engine under load, where filling the device's buffers and its calls are in it.
 */
@Command(
        name = "scheduler",
        description = "Java's share of a step: microseconds and bytes allocated.",
        mixinStandardHelpOptions = true)
final class SchedulerBench extends BenchCommand {
    private static final int[] RUNNING = {64, 256, 1024};
    private static final Map<Integer, Integer> TARGETS = Map.of(256, 50, 1024, 250);

    /** Of all beds together, and then of each. */
    private static final int FIRST_WARM_UP_BEDS = 20;

    private static final int WARM_UP_BEDS = 4;
    private static final int SETTLE = 100;

    /**
     * Runs before the measured ones: code that runs once a step is compiled only after thousands of
     * steps.
     */
    private static final int WARM_UP = 8;

    private static final String LOOP_THREAD = "cortado-engine";
    private static final int ENGINE_PROMPT = 32;
    private static final int ENGINE_OUTPUT = 256;

    /** What a step of the loop does most for: bias, counts on the device, every scalar. */
    private static final UnaryOperator<GenerationRequest> EVERY_OPTION =
            request ->
                    request.params(
                            request.params().toBuilder()
                                    .temperature(0.8f)
                                    .seed(1L)
                                    .dynamicTemperature(new DynamicTemperature(0.2f, 1))
                                    .topK(50)
                                    .topP(0.9f)
                                    .minP(0.01f)
                                    .penalties(new Penalties(1.1f, 0.1f, 0.1f))
                                    .xtc(new Xtc(0.1f, 0.1f))
                                    .logitBias(Map.of(1, -100f, 2, 1f))
                                    .build());

    @Option(names = "--batch", description = "sequences that run in the engine's part")
    int batch = 64;

    @Option(names = "--waiting", description = "sequences that wait in the scheduler's part")
    int waiting = 10_000;

    @Option(names = "--no-engine", description = "only the scheduler's part, without a model")
    boolean noEngine;

    private final ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    @Override
    void run(Results results) throws Exception {
        require(batch >= 1 && batch <= 1024, "batch", "in [1, 1024]", batch);
        require(waiting >= 0 && waiting <= 100_000, "waiting", "in [0, 100000]", waiting);
        Table table =
                new Table(
                        "step of",
                        "us",
                        "p99 us",
                        "bytes",
                        "target us",
                        waiting + " more wait: behind a full batch",
                        "for blocks");
        for (int i = 0; i < FIRST_WARM_UP_BEDS; i++) {
            steps(new StepBed(RUNNING[0], 0), new double[StepBed.MAX_STEPS]);
        }
        double bytes = 0;
        for (SchedulingPolicy policy : SchedulingPolicy.values()) {
            for (int running : RUNNING) {
                bytes = Math.max(bytes, schedule(running, policy, table, results));
            }
        }
        table.print(out);
        out.println();
        new KvCosts(runs).measure(out, results);
        if (noEngine) {
            results.put("step_alloc_bytes", bytes, "B/step");
        } else {
            engine(results);
        }
    }

    /** Bytes a step, the most of all beds. */
    private double schedule(int running, SchedulingPolicy policy, Table table, Results results) {
        Measured none = measure(running, 0, StepBed.Lack.PLACES, policy);
        Measured full = measure(running, waiting, StepBed.Lack.PLACES, policy);
        Measured scanned = measure(running, waiting, StepBed.Lack.BLOCKS, policy);
        double us = none.micros().median();
        double ratio = full.micros().median() / us;
        double scanRatio = scanned.micros().median() / us;
        String name = policy.name().toLowerCase(Locale.ROOT);
        String target = TARGETS.containsKey(running) ? "<= " + TARGETS.get(running) : "";
        double bytes = Math.max(none.bytes(), Math.max(full.bytes(), scanned.bytes()));
        table.row(
                running + " " + name,
                none.micros().text("%.2f"),
                String.format(Locale.ROOT, "%.2f", none.micros().percentile(0.99)),
                String.format(Locale.ROOT, "%.1f", bytes),
                target,
                String.format(Locale.ROOT, "%.2fx (<= 1.2)", ratio),
                String.format(Locale.ROOT, "%.2fx", scanRatio));
        boolean isFirst = policy == SchedulingPolicy.FCFS;
        String metric = "schedule_" + running + (isFirst ? "" : "_" + name);
        results.put(metric + "_us", us, "us");
        results.put(metric + "_alloc_bytes", bytes, "B/step");
        results.put(metric + "_waiting_ratio", ratio, "ratio");
        results.put(metric + "_passed_over_ratio", scanRatio, "ratio");
        return bytes;
    }

    private record Measured(Summary micros, double bytes) {}

    private Measured measure(int running, int more, StepBed.Lack lack, SchedulingPolicy policy) {
        double[] micros = new double[runs * StepBed.MAX_STEPS];
        double[] bytes = new double[runs];
        double[] one = new double[StepBed.MAX_STEPS];
        for (int run = -WARM_UP_BEDS; run < runs; run++) {
            double allocated = steps(new StepBed(running, more, lack, policy), one);
            if (run >= 0) {
                bytes[run] = allocated;
                System.arraycopy(one, 0, micros, run * one.length, one.length);
            }
        }
        return new Measured(Summary.of(micros), Summary.of(bytes).median());
    }

    /** Fills in microseconds a step; returns bytes allocated a step. */
    private double steps(StepBed bed, double[] micros) {
        // The probe itself allocates nothing, but its first call may.
        threads.getCurrentThreadAllocatedBytes();
        long before = threads.getCurrentThreadAllocatedBytes();
        for (int i = 0; i < micros.length; i++) {
            long begin = System.nanoTime();
            bed.step();
            micros[i] = (System.nanoTime() - begin) / 1e3;
        }
        return (double) (threads.getCurrentThreadAllocatedBytes() - before) / micros.length;
    }

    private void engine(Results results) throws Exception {
        out.println();
        Table table = new Table("engine's step of", "us", "most us", "bytes");
        engine("step", batch + " greedy", request -> request, table, results);
        engine("step_options", batch + " with options", EVERY_OPTION, table, results);
        table.print(out);
    }

    private void engine(
            String metric,
            String name,
            UnaryOperator<GenerationRequest> asked,
            Table table,
            Results results)
            throws Exception {
        try (EngineTarget target =
                new EngineTarget(engine.open(model, engine.options().maxNumSeqs(batch)), asked)) {
            RandomPrompts.requireFits(target.engine().model(), ENGINE_PROMPT, ENGINE_OUTPUT);
            RandomPrompts prompts = new RandomPrompts(target.engine().model().vocabSize(), seed);
            long loop = loopThread();
            double[] micros = new double[runs];
            double[] bytes = new double[runs];
            for (int run = -WARM_UP; run < runs; run++) {
                double[] measured = decode(target, prompts, loop);
                if (run >= 0) {
                    micros[run] = measured[0];
                    bytes[run] = measured[1];
                }
            }
            Summary time = Summary.of(micros);
            Summary allocated = Summary.of(bytes);
            table.row(
                    name,
                    time.text("%.2f"),
                    String.format(Locale.ROOT, "%.2f", time.max()),
                    String.format(Locale.ROOT, "%.1f", allocated.median()));
            results.put(metric + "_host_us", time.median(), "us");
            results.put(metric + "_alloc_bytes", allocated.median(), "B/step");
        }
    }

    /** Microseconds and bytes a step while the whole batch decodes. */
    private double[] decode(EngineTarget target, RandomPrompts prompts, long loop)
            throws Exception {
        try (ExecutorService callers = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<Outcome>> running = new ArrayList<>();
            long first = target.engine().stats().generationTokens();
            for (int i = 0; i < batch; i++) {
                int[] prompt = prompts.next(ENGINE_PROMPT);
                running.add(callers.submit(() -> target.run(prompt, ENGINE_OUTPUT)));
            }
            long settled = first + (long) batch * SETTLE;
            EngineStats before = awaitTokens(target, settled);
            long bytesBefore = threads.getThreadAllocatedBytes(loop);
            EngineStats after = awaitTokens(target, settled + (long) batch * SETTLE);
            long bytesAfter = threads.getThreadAllocatedBytes(loop);
            for (Future<Outcome> future : running) {
                if (future.get().error() != null) {
                    throw new BenchException("a request failed: " + future.get().error());
                }
            }
            double steps = Math.max(1, after.steps() - before.steps());
            return new double[] {
                (after.hostNanos() - before.hostNanos()) / steps / 1e3,
                (bytesAfter - bytesBefore) / steps
            };
        }
    }

    private static EngineStats awaitTokens(EngineTarget target, long tokens)
            throws InterruptedException {
        EngineStats stats = target.engine().stats();
        while (stats.generationTokens() < tokens) {
            Thread.sleep(1);
            stats = target.engine().stats();
        }
        return stats;
    }

    private static long loopThread() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().equals(LOOP_THREAD))
                .mapToLong(Thread::threadId)
                .findFirst()
                .orElseThrow(() ->
                        new BenchException(
                                "the engine's loop thread was not found: name=" + LOOP_THREAD));
    }
}
