package io.cortado.bench.conformance;

import io.cortado.api.Engine;
import io.cortado.model.Eagle3Config;
import io.cortado.model.ModelException;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;
import java.util.stream.Stream;

/**
 * Tiny models of each family, their logits and greedy runs, as Hugging Face transformers gave them;
 * for some the log-probabilities of prompts and pooled hidden states as well. An EAGLE-3 head is
 * judged by what it drafts for the model beside it, a model's own layer that predicts further
 * tokens by its drafts too.
 */
public final class GoldenSuite implements Suite {
    private static final String GOLDEN = "golden.json";
    private static final String ADAPTER = "adapter_config.json";

    @Override
    public String name() {
        return "goldens";
    }

    @Override
    public Report run(Path path, SuiteOptions options, PrintStream out) throws IOException {
        Tally all = new Tally();
        Path absolute = path.toAbsolutePath().normalize();
        for (Path folder : folders(absolute)) {
            Tally tally = new Tally();
            String name = folder.getFileName().toString();
            List<String> files = files(folder);
            if (Files.isRegularFile(absolute)) {
                files.removeIf(file -> !absolute.endsWith(file));
            }
            List<String> remarks = runFolder(folder, files, options, tally);
            Report report = tally.report(name);
            report.printGroup(out, 10);
            remarks.forEach(remark -> out.println("    " + remark));
            all.add(report);
        }
        Report report = all.report(name());
        report.printResult(out);
        return report;
    }

    private static List<Path> folders(Path path) throws IOException {
        if (Files.isRegularFile(path)) {
            return List.of(path.getParent());
        }
        if (!files(path).isEmpty()) {
            return List.of(path);
        }
        try (Stream<Path> children = Files.list(path)) {
            List<Path> folders = children.filter(Files::isDirectory).sorted().toList();
            if (folders.isEmpty()) {
                throw new IOException("there is no " + GOLDEN + " in " + path);
            }
            return folders;
        }
    }

    /** The golden files of a folder. */
    private static List<String> files(Path folder) {
        List<String> files = new ArrayList<>();
        for (String name : List.of(GOLDEN, PromptLogprobGolden.FILE, EmbeddingGolden.FILE)) {
            if (Files.isRegularFile(folder.resolve(name))) {
                files.add(name);
            }
        }
        return files;
    }

    /** Returns what there is to say beside the counts. */
    private static List<String> runFolder(
            Path folder, List<String> files, SuiteOptions options, Tally tally) throws IOException {
        if (files.isEmpty()) {
            tally.refused("no " + GOLDEN + " beside a model: not a kind this suite runs");
            return List.of();
        }
        if (Files.isRegularFile(folder.resolve(ADAPTER))) {
            tally.refused(ADAPTER + ": adapters are not built");
            return List.of();
        }
        if (Eagle3Config.isHead(folder)) {
            return List.of(Eagle3Golden.run(folder, options, tally));
        }
        List<String> remarks = new ArrayList<>();
        GoldenFile golden =
                Files.isRegularFile(folder.resolve(GOLDEN))
                        ? GoldenFile.read(folder.resolve(GOLDEN))
                        : new GoldenFile(List.of(), OptionalDouble.empty());
        try {
            GoldenModel model = GoldenModel.read(folder, options);
            for (String file : files) {
                remarks.add(runFile(model, file, golden, options.limit(), tally));
            }
            if (model.config().numDraftLayers() > 0 && files.contains(GOLDEN)) {
                remarks.add(MtpGolden.run(model, folder.resolve(GOLDEN), options.limit(), tally));
            }
        } catch (ModelException e) {
            count(e, Math.max(1, golden.prompts().size()), tally);
        }
        return remarks;
    }

    /** What cannot be run is refused; what cannot be read is wrong. */
    static void count(ModelException e, int cases, Tally tally) {
        if (e.kind() == ModelException.Kind.UNSUPPORTED) {
            tally.refused(String.valueOf(e.getMessage()), cases);
        } else {
            tally.wrong(String.valueOf(e.getMessage()));
        }
    }

    /**
     * Judges a folder or a GGUF file by a golden file. Returns what there is to say beside the
     * counts.
     */
    static String runChecked(Path model, GoldenFile golden, SuiteOptions options, Tally tally) {
        try {
            return runModel(GoldenModel.read(model, options), golden, options.limit(), tally);
        } catch (ModelException e) {
            count(e, Math.max(1, golden.prompts().size()), tally);
            return "";
        }
    }

    private static String runFile(
            GoldenModel model, String file, GoldenFile golden, int limit, Tally tally)
            throws IOException {
        if (file.equals(GOLDEN)) {
            return runModel(model, golden, limit, tally);
        }
        if (model.hasOwnKvType()) {
            tally.refused(file + ": judged with kv-cache-dtype auto only");
            return "";
        }
        Path path = model.folder().resolve(file);
        try (Engine engine = model.openEngine()) {
            if (file.equals(EmbeddingGolden.FILE)) {
                return new EmbeddingGolden(engine, model.isExact()).run(path, limit, tally);
            }
            try (LmDriver driver = model.openDriver()) {
                double tolerance = GoldenRun.tolerance(golden, model.isExact());
                return new PromptLogprobGolden(engine, driver, tolerance).run(path, limit, tally);
            }
        }
    }

    private static String runModel(GoldenModel model, GoldenFile golden, int limit, Tally tally) {
        if (model.hasOwnKvType()) {
            return runWithOwnKvType(model, golden, limit, tally);
        }
        String seen = "";
        double cpuDifference = Double.NaN;
        if (!model.isExact() && !model.isOnCpu()) {
            cpuDifference = cpuDifference(model, golden, limit);
            seen = " (the cpu's with bf16: %.3f)".formatted(cpuDifference);
        } else if (!model.isExact() && golden.bf16Scale().isPresent()) {
            seen =
                    " (transformers' own with bf16: %.3f)"
                            .formatted(golden.bf16Scale().getAsDouble());
        }
        try (LmDriver driver = model.openDriver()) {
            GoldenRun run =
                    model.isExact()
                            ? GoldenRun.exact(driver, golden)
                            : model.isOnCpu()
                                    ? GoldenRun.rounded(driver, golden)
                                    : GoldenRun.rounded(driver, golden, cpuDifference);
            run.run(limit, tally);
            return "largest |dlogit| %.6f, rms of the last %.6f%s"
                    .formatted(run.largestDifference(), run.largestRms(), seen);
        }
    }

    private static String runWithOwnKvType(
            GoldenModel model, GoldenFile golden, int limit, Tally tally) {
        List<int[]> texts =
                golden.prompts().stream().limit(limit).map(GoldenFile.GoldenPrompt::text).toList();
        try (LmDriver driver = model.openDriver();
                LmDriver plain = model.openPlainDriver()) {
            GoldenRun.withOwnKvType(driver, golden).run(limit, tally);
            KvDifference difference = KvDifference.between(plain, driver, texts);
            return ("kv-cache-dtype %s: largest |dlogit| %.4f, rms %.4f of logits of rms %.3f, same"
                            + " first id at %.1f%% of %d positions")
                    .formatted(
                            model.options().kvCacheDtype(),
                            difference.largest(),
                            difference.rms(),
                            difference.logitRms(),
                            100 * difference.agreement(),
                            difference.positions());
        }
    }

    /** The prompts of a folder's golden file, each with its greedy text; empty without one. */
    public static List<int[]> texts(Path folder) throws IOException {
        Path file = folder.resolve(GOLDEN);
        return Files.isRegularFile(file)
                ? GoldenFile.read(file).prompts().stream()
                        .map(GoldenFile.GoldenPrompt::text)
                        .toList()
                : List.of();
    }

    private static double cpuDifference(GoldenModel model, GoldenFile golden, int limit) {
        try (LmDriver driver = model.openDriverOnCpu()) {
            GoldenRun run = GoldenRun.rounded(driver, golden);
            run.run(limit, new Tally());
            return run.largestDifference();
        }
    }
}
