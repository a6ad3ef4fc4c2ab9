package io.cortado.bench;

import io.cortado.api.Engine;
import io.cortado.api.EngineException;
import io.cortado.api.EngineOptions;
import io.cortado.api.GenerationEvent;
import io.cortado.api.GenerationStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * What the scheduler and the cache are worth on a device: a prefix that is there already, a long
 * prompt that enters beside running answers, and weights that are read once for a batch.
 */
@Command(
        name = "prefix",
        description =
                "Shared prefixes, chunked prefill and batched decoding; without a model one of"
                        + " 0.5 B parameters with random weights.",
        mixinStandardHelpOptions = true)
final class PrefixBench extends BenchCommand {
    private static final double PREFIX_TARGET = 0.15;
    private static final double BETWEEN_TARGET = 2.5;
    private static final double BATCH_TARGET = 5;
    private static final int SUFFIX = 16;
    private static final int SHORT_PROMPT = 16;
    private static final int OUTPUT = 48;
    private static final int PURE_TOKENS = 40;

    /** Tokens that a step takes of the entering prompt on average, at the very least. */
    private static final int LEAST_CHUNK = 3;

    @Option(names = "--prefix-len", description = "tokens that both prompts begin with")
    int prefixLen = 2048;

    @Option(names = "--entering-len", description = "tokens of the prompt that enters; 0: none")
    int enteringLen = 8192;

    @Option(
            names = "--itl-factor",
            description = "its --itl-target-ms, where that is not given, over a step without it")
    double itlFactor = 2;

    @Option(names = "--running", description = "answers that run while it enters")
    int running = 4;

    @Option(names = "--batch", description = "answers at once, against one")
    int batch = 16;

    @Override
    void run(Results results) throws Exception {
        require(prefixLen >= 0, "prefix-len", "not negative", prefixLen);
        require(enteringLen >= 0, "entering-len", "not negative", enteringLen);
        require(running >= 1 && running <= 256, "running", "in [1, 256]", running);
        require(batch >= 1 && batch <= 256, "batch", "in [1, 256]", batch);
        require(itlFactor > 1 && itlFactor <= 1000, "itl-factor", "in (1, 1000]", itlFactor);
        Table table = new Table("what", "ratio", "target");
        int itlTargetMs = engine.options().itlTargetMs();
        try (EngineTarget target = open(engine.options())) {
            if (prefixLen > 0) {
                prefix(target, table, results);
            }
            if (batch > 1) {
                batch(target, table, results);
            }
            if (enteringLen > 0 && itlTargetMs == 0) {
                double stepMs = running * 1e3 / tokensPerSecond(target, running);
                itlTargetMs = (int) Math.ceil(itlFactor * stepMs);
            }
        }
        if (enteringLen > 0) {
            EngineOptions options =
                    engine.options().itlTargetMs(itlTargetMs).maxNumSeqs(running + 1);
            try (EngineTarget target = open(options)) {
                entering(target, itlTargetMs, table, results);
            }
        }
        out.println();
        table.print(out);
    }

    private EngineTarget open(EngineOptions options) throws Exception {
        boolean isNamed = model != null || engine.dummyWeights != null;
        return new EngineTarget(
                isNamed
                        ? engine.open(model, options)
                        : Engine.open(Shapes.halfBillion(), options.dummyWeights(true)));
    }

    private void prefix(EngineTarget target, Table table, Results results) throws Exception {
        RandomPrompts.requireFits(target.engine().model(), prefixLen + SUFFIX, 1);
        RandomPrompts prompts = new RandomPrompts(target.vocabSize(), seed);
        target.run(prompts.next(SHORT_PROMPT), 1);
        double[] first = new double[runs];
        double[] second = new double[runs];
        for (int run = 0; run < runs; run++) {
            int[] prefix = prompts.next(prefixLen + SUFFIX);
            first[run] = ok(target.run(prefix, 1)).firstNanos() / 1e6;
            int[] other = prefix.clone();
            System.arraycopy(prompts.next(SUFFIX), 0, other, prefixLen, SUFFIX);
            second[run] = ok(target.run(other, 1)).firstNanos() / 1e6;
        }
        double cold = Summary.of(first).median();
        double warm = Summary.of(second).median();
        out.printf(
                Locale.ROOT,
                "TTFT with a prefix of %d tokens: %.1f ms, again %.1f ms%n",
                prefixLen,
                cold,
                warm);
        row(table, "TTFT of the second request over the first", warm / cold, PREFIX_TARGET, true);
        results.put("prefix_cold_ttft_ms", cold, "ms");
        results.put("prefix_warm_ttft_ms", warm, "ms");
        results.put("prefix_ttft_ratio", warm / cold, "ratio");
    }

    private void batch(EngineTarget target, Table table, Results results) throws Exception {
        double one = tokensPerSecond(target, 1);
        double many = tokensPerSecond(target, batch);
        out.printf(
                Locale.ROOT, "decoding: %.1f tokens/s alone, %.1f at batch %d%n", one, many, batch);
        row(table, "tokens/s of batch " + batch + " over one", many / one, BATCH_TARGET, false);
        results.put("decode_batch1_tok_s", one, "tok/s");
        results.put("decode_batch" + batch + "_tok_s", many, "tok/s");
        results.put("decode_batch_ratio", many / one, "ratio");
    }

    /** By the time between tokens, so that prompts are not in it. */
    private double tokensPerSecond(EngineTarget target, int count) throws Exception {
        RandomPrompts prompts = new RandomPrompts(target.vocabSize(), seed + count);
        double[] tpot = new double[runs];
        for (int run = 0; run < runs; run++) {
            List<Future<Outcome>> all = new ArrayList<>();
            try (ExecutorService callers = Executors.newVirtualThreadPerTaskExecutor()) {
                for (int i = 0; i < count; i++) {
                    int[] prompt = prompts.next(SHORT_PROMPT);
                    all.add(callers.submit(() -> target.run(prompt, OUTPUT)));
                }
            }
            double sum = 0;
            for (Future<Outcome> future : all) {
                sum += ok(future.get()).tpotNanos();
            }
            tpot[run] = sum / count;
        }
        return count * 1e9 / Summary.of(tpot).median();
    }

    /** Times between the tokens of running answers, before and while a long prompt enters. */
    private void entering(EngineTarget target, int itlTargetMs, Table table, Results results)
            throws Exception {
        RandomPrompts.requireFits(target.engine().model(), enteringLen, 1);
        RandomPrompts prompts = new RandomPrompts(target.vocabSize(), seed);
        // Enough for the time before, and for as many steps as the prompt may take.
        int output = 4 * PURE_TOKENS + enteringLen / LEAST_CHUNK;
        RandomPrompts.requireFits(target.engine().model(), SHORT_PROMPT, output);
        ConcurrentLinkedQueue<Double> pure = new ConcurrentLinkedQueue<>();
        ConcurrentLinkedQueue<Double> mixed = new ConcurrentLinkedQueue<>();
        AtomicBoolean enters = new AtomicBoolean();
        AtomicBoolean ends = new AtomicBoolean();
        Outcome entered;
        try (ExecutorService callers = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<?>> readers = new ArrayList<>();
            for (int i = 0; i < running; i++) {
                int[] prompt = prompts.next(SHORT_PROMPT);
                readers.add(
                        callers.submit(() -> {
                            read(target, prompt, output, enters, ends, pure, mixed);
                            return null;
                        }));
            }
            while (pure.size() < 2 * PURE_TOKENS * running) {
                awaitNoFailure(readers);
                Thread.sleep(1);
            }
            enters.set(true);
            entered = ok(target.run(prompts.next(enteringLen), 1));
            ends.set(true);
        }
        double[] alone = millis(pure);
        double step =
                Summary.of(Arrays.copyOfRange(alone, alone.length / 2, alone.length)).median();
        Summary between = Summary.of(millis(mixed));
        double ratio = between.percentile(0.99) / step;
        out.printf(
                Locale.ROOT,
                "%d answers run: %.1f ms between tokens alone; median %.1f, p99 %.1f ms while %d"
                        + " tokens enter in %.1f s, --itl-target-ms %d%n",
                running,
                step,
                between.median(),
                between.percentile(0.99),
                enteringLen,
                entered.firstNanos() / 1e9,
                itlTargetMs);
        row(table, "p99 between tokens while a prompt enters", ratio, BETWEEN_TARGET, true);
        results.put("entering_itl_target_ms", itlTargetMs, "ms");
        results.put("entering_ttft_ms", entered.firstNanos() / 1e6, "ms");
        results.put("decode_step_ms", step, "ms");
        results.put("entering_between_p99_ms", between.percentile(0.99), "ms");
        results.put("entering_between_ratio", ratio, "ratio");
    }

    /** Notes the time a token took, once all have come that were drawn before the change. */
    private static void read(
            EngineTarget target,
            int[] prompt,
            int output,
            AtomicBoolean enters,
            AtomicBoolean ends,
            ConcurrentLinkedQueue<Double> pure,
            ConcurrentLinkedQueue<Double> mixed)
            throws InterruptedException {
        long last = 0;
        try (GenerationStream stream =
                target.engine().generate(RandomPrompts.request(prompt, output))) {
            for (GenerationEvent e = stream.next(); e != null && !ends.get(); e = stream.next()) {
                if (e instanceof GenerationEvent.Failed(EngineException error)) {
                    throw error;
                }
                if (e instanceof GenerationEvent.Delta delta && delta.ids().length > 0) {
                    long now = System.nanoTime();
                    if (last != 0) {
                        double each = (now - last) / 1e6 / delta.ids().length;
                        (enters.get() ? mixed : pure).add(each);
                    }
                    last = now;
                }
            }
        }
    }

    private static void awaitNoFailure(List<Future<?>> readers)
            throws ExecutionException, InterruptedException {
        for (Future<?> reader : readers) {
            if (reader.isDone()) {
                reader.get();
                throw new BenchException("an answer ended before the long prompt came");
            }
        }
    }

    private static double[] millis(ConcurrentLinkedQueue<Double> times) {
        return times.stream().mapToDouble(Double::doubleValue).toArray();
    }

    private static Outcome ok(Outcome outcome) {
        if (outcome.error() != null) {
            throw new BenchException("a request failed: " + outcome.error());
        }
        return outcome;
    }

    private static void row(
            Table table, String what, double ratio, double target, boolean isAtMost) {
        table.row(
                what,
                String.format(Locale.ROOT, "%.3f", ratio),
                String.format(Locale.ROOT, "%s %.2f", isAtMost ? "<=" : ">=", target));
    }
}
