package io.cortado.bench.llamacpp;

import io.cortado.api.Engine;
import io.cortado.api.EngineOptions;
import io.cortado.api.GenerationEvent;
import io.cortado.api.GenerationStream;
import io.cortado.bench.BenchException;
import io.cortado.bench.CacheFolder;
import io.cortado.bench.RandomPrompts;
import io.cortado.bench.Results;
import io.cortado.bench.Summary;
import io.cortado.bench.Table;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.Objects;
import java.util.function.ToDoubleFunction;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.json.JsonMapper;

/**
 * Prefill and decode of one stream, ours and llama.cpp's in turns: same weights, same prompts, same
 * number of threads, both greedy.
 */
public final class LlamaCppComparison {
    private static final int CHECK_PROMPTS = 8;
    private static final int CHECK_PROMPT_LEN = 24;
    private static final int CHECK_OUTPUT_LEN = 8;

    /** Lets the other side's threads fall asleep before a measurement. */
    private static final long REST_MS = 300;

    /** Shapes that come along. */
    public enum Bundled {
        /** 0.5 B parameters. */
        DENSE("config.json"),
        /** The same with 16 experts a layer in half as many layers, 4 of them a token's. */
        EXPERTS("experts.json"),
        /** Three layers of those. */
        FEW_EXPERTS("few_experts.json");

        private final String file;

        Bundled(String file) {
            this.file = file;
        }
    }

    /**
     * What is compared.
     *
     * @param config shape of the model (qwen3 or qwen3_moe); null: a bundled one
     * @param bundled which one
     * @param weights format of the weights; blocks are read by both sides from one GGUF file
     */
    public record Setup(
            @Nullable Path config,
            Bundled bundled,
            BlockWeights weights,
            EngineOptions options,
            int promptLen,
            int outputLen,
            int runs,
            long seed) {}

    private final Setup setup;
    private final Engine ours;
    private final LlamaCppPeer theirs;
    private final RandomPrompts prompts;

    private LlamaCppComparison(Setup setup, Engine ours, LlamaCppPeer theirs) {
        this.setup = setup;
        this.ours = ours;
        this.theirs = theirs;
        prompts = new RandomPrompts(ours.model().vocabSize(), setup.seed());
    }

    public static void run(Setup setup, Results results, PrintStream out)
            throws IOException, InterruptedException {
        byte[] config = config(setup);
        Qwen3Shape shape =
                Qwen3Shape.of(
                        JsonMapper.shared().readTree(config),
                        String.valueOf(setup.config() == null ? "bundled" : setup.config()));
        int context = setup.promptLen() + setup.outputLen();
        if (context > shape.maxPositions()) {
            throw new BenchException(
                    "prompt and output must fit into the model's context: tokens="
                            + context
                            + " max_position_embeddings="
                            + shape.maxPositions());
        }
        Path folder =
                CacheFolder.resolve("random-qwen3-" + Integer.toHexString(Arrays.hashCode(config)));
        BlockWeights weights = setup.weights();
        out.printf(
                "weights: %,d parameters, %s, in %s%n",
                shape.parameters(), weights.label(), folder);
        RandomCheckpoint checkpoint = new RandomCheckpoint(shape, 1);
        Path model = folder;
        Path gguf = folder.resolve(RandomCheckpoint.GGUF);
        if (weights == BlockWeights.BF16 && shape.experts() == null) {
            checkpoint.writeInto(folder, config);
        } else {
            gguf = checkpoint.writeBlocks(folder, weights);
            model = gguf;
        }
        int threads =
                setup.options().threads() == 0
                        ? Runtime.getRuntime().availableProcessors()
                        : setup.options().threads();
        EngineOptions options =
                setup.options().threads(threads).maxNumSeqs(1).maxModelLen(shape.maxPositions());
        try (Engine ours = Engine.open(model, options);
                LlamaCppPeer theirs =
                        LlamaCppPeer.start(
                                CacheFolder.resolve("llamacpp"),
                                gguf,
                                threads,
                                Math.max(1024, context))) {
            out.printf(
                    "ours: %s, %d threads; peer: %s, %d threads%n",
                    ours.model().device(), threads, theirs.version(), theirs.threads());
            LlamaCppComparison comparison = new LlamaCppComparison(setup, ours, theirs);
            comparison.check(results, out);
            comparison.measure(results, out);
        }
    }

    private static byte[] config(Setup setup) throws IOException {
        if (setup.config() != null) {
            return Files.readAllBytes(setup.config());
        }
        String name = setup.bundled().file;
        try (InputStream in = LlamaCppComparison.class.getResourceAsStream(name)) {
            return Objects.requireNonNull(in, name + " is missing from the jar").readAllBytes();
        }
    }

    /** Both must compute the same model, or the ratio means nothing. */
    private void check(Results results, PrintStream out) throws IOException, InterruptedException {
        int firsts = 0;
        int leading = 0;
        for (int i = 0; i < CHECK_PROMPTS; i++) {
            int[] prompt = prompts.next(CHECK_PROMPT_LEN);
            int[] a = generate(prompt, CHECK_OUTPUT_LEN).ids();
            int[] b = theirs.generate(prompt, CHECK_OUTPUT_LEN).ids();
            int mismatch = Arrays.mismatch(a, b);
            int equal = mismatch < 0 ? CHECK_OUTPUT_LEN : mismatch;
            leading += equal;
            firsts += equal > 0 ? 1 : 0;
            if (i == 0) {
                out.printf("ours   %s%ntheirs %s%n", Arrays.toString(a), Arrays.toString(b));
            }
        }
        out.printf(
                "same model: first token equal %d of %d, leading tokens equal %d of %d%n",
                firsts, CHECK_PROMPTS, leading, CHECK_PROMPTS * CHECK_OUTPUT_LEN);
        results.put("vs_llamacpp_same_first", firsts, "of_" + CHECK_PROMPTS);
        if (2 * firsts < CHECK_PROMPTS) {
            results.fail(
                    "both sides must compute the same model: first tokens equal="
                            + firsts
                            + " of "
                            + CHECK_PROMPTS);
        }
    }

    private void measure(Results results, PrintStream out)
            throws IOException, InterruptedException {
        int[] warm = prompts.next(setup.promptLen());
        generate(warm, setup.outputLen());
        theirs.generate(warm, setup.outputLen());
        Generated[] a = new Generated[2 * setup.runs()];
        Generated[] b = new Generated[setup.runs()];
        for (int run = 0; run < setup.runs(); run++) {
            // A B A: a drift of the machine's clock falls on both sides alike.
            a[2 * run] = oursOnce(prompts.next(setup.promptLen()));
            Thread.sleep(REST_MS);
            b[run] = theirs.generate(prompts.next(setup.promptLen()), setup.outputLen());
            a[2 * run + 1] = oursOnce(prompts.next(setup.promptLen()));
        }
        Table table = new Table("tok/s", "ours", "llama.cpp", "ratio");
        compare("prefill", a, b, g -> setup.promptLen() / g.firstSeconds(), table, results);
        compare("decode", a, b, Generated::decodeTokensPerSecond, table, results);
        table.print(out);
    }

    private Generated oursOnce(int[] prompt) throws InterruptedException {
        Thread.sleep(REST_MS);
        return generate(prompt, setup.outputLen());
    }

    private static void compare(
            String name,
            Generated[] a,
            Generated[] b,
            ToDoubleFunction<Generated> rate,
            Table table,
            Results results) {
        Summary ours = Summary.of(Arrays.stream(a).mapToDouble(rate).toArray());
        Summary theirs = Summary.of(Arrays.stream(b).mapToDouble(rate).toArray());
        double ratio = ours.median() / theirs.median();
        table.row(
                name,
                ours.text("%.1f"),
                theirs.text("%.1f"),
                String.format(Locale.ROOT, "%.2f", ratio));
        results.put("cortado_" + name + "_tok_s", ours.median(), "tok/s");
        results.put("llamacpp_" + name + "_tok_s", theirs.median(), "tok/s");
        results.put("vs_llamacpp_" + name, ratio, "ratio");
    }

    private Generated generate(int[] prompt, int count) throws InterruptedException {
        int[] ids = new int[count];
        int length = 0;
        long begin = System.nanoTime();
        long first = begin;
        long last = begin;
        try (GenerationStream stream = ours.generate(RandomPrompts.request(prompt, count))) {
            for (GenerationEvent e = stream.next(); e != null; e = stream.next()) {
                if (e instanceof GenerationEvent.Delta delta) {
                    last = System.nanoTime();
                    first = length == 0 ? last : first;
                    System.arraycopy(delta.ids(), 0, ids, length, delta.ids().length);
                    length += delta.ids().length;
                } else if (e instanceof GenerationEvent.Failed failed) {
                    throw new BenchException("our side failed: " + failed.error().getMessage());
                }
            }
        }
        if (length != count) {
            throw new BenchException(
                    "our side ended early: tokens=" + length + " expected=" + count);
        }
        return new Generated(ids, (first - begin) / 1e9, (last - first) / 1e9);
    }
}
