package io.cortado.bench;

import com.sun.management.OperatingSystemMXBean;
import io.cortado.api.Engine;
import io.cortado.api.EngineException;
import io.cortado.api.EngineOptions;
import io.cortado.api.EngineStats;
import io.cortado.api.GenerationEvent;
import io.cortado.api.GenerationRequest;
import io.cortado.api.GenerationStream;
import io.cortado.api.Prompt;
import io.cortado.api.SamplingParams;
import io.cortado.api.Speculation;
import io.cortado.demo.DemoModel;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** What speculation gives: tokens a step, and tokens a second against none in the same run. */
@Command(
        name = "speculate",
        description = "Acceptance, tokens per target step, and speed against no speculation.",
        mixinStandardHelpOptions = true)
final class SpeculateBench extends BenchCommand {
    /** Whose CPU time other programs do not change. */
    private static final OperatingSystemMXBean PROCESS =
            ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);

    @Option(
            names = "--proposers",
            split = ",",
            description = "of ngram, suffix, draft, eagle3; default: all that the model has")
    List<String> proposers = List.of("ngram", "suffix", "draft", "eagle3");

    @Option(names = "--draft-tokens", description = "tokens of a draft")
    int draftTokens = 4;

    @Option(names = "--tree-size", description = "drafts of a tree; 0: no trees")
    int treeSize = 16;

    @Option(names = "--tree-depth", description = "drafts on the longest way of a tree")
    int treeDepth = 6;

    @Option(names = "--tree-top-k", description = "drafts gone on behind in a level")
    int treeTopK = 4;

    @Option(names = "--batches", split = ",", description = "requests at once")
    List<Integer> batches = List.of(1, 4, 16);

    /** A run of the comparison takes no less: shorter ones tell of the machine's other work. */
    private static final double RUN_SECONDS = 1.5;

    /** By then most of what a target of random weights says was said before. */
    private static final int REPEATING_LEN = 640;

    @Option(names = "--output-len", description = "tokens of an output")
    int outputLen = 96;

    @Option(names = "--temperature", description = "0: greedy")
    float temperature;

    @Option(
            names = "--without-gain",
            description =
                    "as well: prompts and answers of random tokens, whose drafts do not stand")
    boolean withoutGain;

    @Option(
            names = "--repeating",
            description =
                    "as well: a target of 0.5 B parameters with random weights, whose output repeats")
    boolean repeating;

    private boolean ignoresEnd;

    @Override
    void run(Results results) throws Exception {
        require(outputLen >= 2, "output-len", "at least 2", outputLen);
        Path folder = engine.modelFolder(model);
        List<Prompt> prompts = prompts();
        if (engine.dummyWeights == null) {
            measure(folder, prompts, results);
        }
        if (repeating) {
            temperature = 0;
            ignoresEnd = true;
            outputLen = Math.max(outputLen, REPEATING_LEN);
            repeating(results);
        }
    }

    private void measure(Path folder, List<Prompt> prompts, Results results) throws Exception {
        Table chains =
                new Table("chains of " + draftTokens, "tokens/step", "accepted at 1, 2, ...");
        for (String proposer : proposers) {
            Speculation how = speculation(proposer);
            perStep(folder, how, proposer, prompts, chains, results);
        }
        chains.print(out);
        if (proposers.stream().anyMatch(this::draftsTrees)) {
            Table trees =
                    new Table(
                            "trees of %d, %d deep".formatted(treeSize, treeDepth),
                            "tokens/step",
                            "accepted at 1, 2, ...");
            for (String proposer : proposers) {
                if (draftsTrees(proposer)) {
                    Speculation how = speculation(proposer).tokens(treeDepth);
                    how = how.tree(treeSize, treeTopK);
                    perStep(folder, how, proposer + "_tree", prompts, trees, results);
                }
            }
            trees.print(out);
        }
        speeds("adaptive", "speedup_", prompts, results);
        if (withoutGain) {
            temperature = 2;
            ignoresEnd = true;
            speeds("adaptive, without gain", "speedup_without_gain_", random(8, 64), results);
        }
    }

    private void speeds(String title, String metric, List<Prompt> prompts, Results results)
            throws Exception {
        Path folder = engine.modelFolder(model);
        Table speeds =
                new Table(
                        title, "batch", "speed-up", "spread", "of CPU time", "drafted", "accepted");
        try (Engine plain = Engine.open(folder, engine.options())) {
            Speculation none = Speculation.OFF;
            compareAll(folder, none, metric, "none", plain, prompts, speeds, results);
            for (String proposer : proposers) {
                Speculation how = speculation(proposer);
                compareAll(folder, how, metric, proposer, plain, prompts, speeds, results);
                if (draftsTrees(proposer)) {
                    Speculation trees = how.tokens(treeDepth).tree(treeSize, treeTopK);
                    String name = proposer + "_tree";
                    compareAll(folder, trees, metric, name, plain, prompts, speeds, results);
                }
            }
        }
        speeds.print(out);
    }

    private boolean draftsTrees(String proposer) {
        boolean isAsked = treeSize > 0 && engine.speculativeConfig.isEmpty();
        return isAsked && (proposer.equals("draft") || proposer.equals("eagle3"));
    }

    private void perStep(
            Path folder,
            Speculation how,
            String name,
            List<Prompt> prompts,
            Table table,
            Results results)
            throws Exception {
        EngineOptions options = engine.options().speculation(how.adaptive(false));
        try (Engine drafting = Engine.open(folder, options)) {
            runAll(drafting, prompts, 1);
            EngineStats stats = drafting.stats();
            double perStep = tokensPerStep(stats, prompts.size());
            table.row(name, String.format(Locale.ROOT, "%.2f", perStep), accepted(stats.drafts()));
            results.put("tokens_per_step_" + name, perStep, "tokens");
        }
    }

    private void compareAll(
            Path folder,
            Speculation how,
            String metric,
            String name,
            Engine plain,
            List<Prompt> prompts,
            Table table,
            Results results)
            throws Exception {
        try (Engine drafting = Engine.open(folder, engine.options().speculation(how))) {
            for (int batch : batches) {
                String result = metric + name + "_b" + batch;
                compare(result, name, batch, plain, drafting, prompts, table, results);
            }
        }
    }

    private void compare(
            String metric,
            String proposer,
            int batch,
            Engine plain,
            Engine drafting,
            List<Prompt> prompts,
            Table table,
            Results results)
            throws Exception {
        List<Prompt> asked = new ArrayList<>();
        ask(Math.max(batch, prompts.size()), prompts, asked);
        double seconds = runAll(plain, asked, batch);
        if (seconds < RUN_SECONDS) {
            seconds = runAll(plain, asked, batch);
        }
        ask((int) Math.ceil(asked.size() * RUN_SECONDS / seconds), prompts, asked);
        runAll(drafting, asked, batch);
        EngineStats.Drafts before = drafting.stats().drafts();
        double[] ratios = new double[runs];
        double[] ofCpu = new double[runs];
        for (int run = 0; run < runs; run++) {
            long start = PROCESS.getProcessCpuTime();
            double without = runAll(plain, asked, batch);
            long middle = PROCESS.getProcessCpuTime();
            double with = runAll(drafting, asked, batch);
            ratios[run] = without / with;
            ofCpu[run] = (double) (middle - start) / (PROCESS.getProcessCpuTime() - middle);
        }
        Arrays.sort(ofCpu);
        EngineStats.Drafts after = drafting.stats().drafts();
        Arrays.sort(ratios);
        double median = ratios[runs / 2];
        table.row(
                proposer,
                Integer.toString(batch),
                String.format(Locale.ROOT, "%.2f", median),
                String.format(Locale.ROOT, "%.2f-%.2f", ratios[0], ratios[runs - 1]),
                String.format(Locale.ROOT, "%.2f", ofCpu[runs / 2]),
                Long.toString(after.tokens() - before.tokens()),
                Long.toString(after.accepted() - before.accepted()));
        results.put(metric, median, "x");
    }

    /** Prompts over and over, until there are so many. */
    private static void ask(int count, List<Prompt> prompts, List<Prompt> asked) {
        while (asked.size() < count) {
            asked.add(prompts.get(asked.size() % prompts.size()));
        }
    }

    /** A greedy output of random weights soon repeats: what was said before comes again. */
    private void repeating(Results results) throws Exception {
        EngineOptions options = engine.options().dummyWeights(true).maxModelLen(2048);
        Path folder = Shapes.halfBillion();
        Table table =
                new Table(
                        "0.5 B, repeating, outputs of " + outputLen,
                        "batch",
                        "speed-up",
                        "spread",
                        "of CPU time",
                        "drafted",
                        "accepted");
        List<Prompt> prompts = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
            prompts.add(new Prompt.Tokens(new RandomPrompts(1000, seed + i).next(64)));
        }
        Speculation how = Speculation.ngram(draftTokens);
        EngineOptions always = options.speculation(how.adaptive(false));
        try (Engine drafting = Engine.open(folder, always)) {
            runAll(drafting, prompts, 1);
            double perStep = tokensPerStep(drafting.stats(), prompts.size());
            results.put("tokens_per_step_ngram_repeating", perStep, "tokens");
        }
        try (Engine plain = Engine.open(folder, options);
                Engine drafting = Engine.open(folder, options.speculation(how))) {
            String name = "speedup_ngram_repeating_b1";
            compare(name, "ngram", 1, plain, drafting, prompts, table, results);
        }
        table.print(out);
    }

    private Speculation speculation(String proposer) throws IOException {
        if (!engine.speculativeConfig.isEmpty()) {
            return engine.options().speculation();
        }
        return switch (proposer) {
            case "ngram" -> Speculation.ngram(draftTokens);
            case "suffix" -> Speculation.suffix(draftTokens);
            case "draft" ->
                    Speculation.draftModel(
                            DemoModel.unpackDraft(CacheFolder.resolve("demo-draft")).toString(),
                            draftTokens);
            case "eagle3" ->
                    Speculation.eagle3(
                            DemoModel.unpackEagle3(CacheFolder.resolve("demo-eagle3")).toString(),
                            draftTokens);
            default ->
                    throw new BenchException(
                            "--proposers must be of ngram, suffix, draft, eagle3: " + proposer);
        };
    }

    /** Chats of the demo model's kinds; random ids for another model. */
    private List<Prompt> prompts() throws IOException {
        return model == null ? DemoChats.read() : random(8, 128);
    }

    private List<Prompt> random(int count, int length) {
        List<Prompt> prompts = new ArrayList<>();
        RandomPrompts random = new RandomPrompts(1000, seed);
        for (int i = 0; i < count; i++) {
            prompts.add(new Prompt.Tokens(random.next(length)));
        }
        return prompts;
    }

    /** Seconds that all prompts take, so many at once. */
    private double runAll(Engine engine, List<Prompt> prompts, int batch) throws Exception {
        long start = System.nanoTime();
        try (ExecutorService callers = Executors.newFixedThreadPool(batch)) {
            List<Future<@Nullable Object>> running = new ArrayList<>();
            for (Prompt prompt : prompts) {
                running.add(
                        callers.submit(() -> {
                            read(engine, prompt);
                            return null;
                        }));
            }
            for (Future<@Nullable Object> future : running) {
                future.get();
            }
        }
        return (System.nanoTime() - start) / 1e9;
    }

    private void read(Engine engine, Prompt prompt) throws InterruptedException {
        try (GenerationStream stream = engine.generate(request(prompt))) {
            for (GenerationEvent e = stream.next(); e != null; e = stream.next()) {
                if (e instanceof GenerationEvent.Failed(EngineException error)) {
                    throw new BenchException("a request failed: " + error.getMessage());
                }
            }
        }
    }

    private GenerationRequest request(Prompt prompt) {
        return new GenerationRequest(
                prompt,
                SamplingParams.builder()
                        .temperature(temperature)
                        .seed(seed)
                        .maxTokens(outputLen)
                        .ignoreEos(ignoresEnd)
                        .build());
    }

    /** Of steps that decode, alone in the batch: a request's first token is its prompt's. */
    private static double tokensPerStep(EngineStats stats, int requests) {
        long decoded = stats.generationTokens() - requests;
        return (double) decoded / (decoded - stats.drafts().accepted());
    }

    private static String accepted(EngineStats.Drafts drafts) {
        StringBuilder text = new StringBuilder();
        for (long at : drafts.acceptedAt()) {
            text.append(
                    String.format(
                            Locale.ROOT, "%.2f ", (double) at / Math.max(1, drafts.verified())));
        }
        return text.toString().strip();
    }
}
