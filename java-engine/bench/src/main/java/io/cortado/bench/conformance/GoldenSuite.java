package io.cortado.bench.conformance;

import io.cortado.model.Activations;
import io.cortado.model.ModelConfig;
import io.cortado.model.ModelException;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/**
 * Tiny models of each family, their logits and greedy runs, as Hugging Face transformers gave them.
 */
public final class GoldenSuite implements Suite {
    private static final String GOLDEN = "golden.json";

    @Override
    public String name() {
        return "goldens";
    }

    @Override
    public Report run(Path path, SuiteOptions options, PrintStream out) throws IOException {
        Tally all = new Tally();
        for (Path folder : folders(path)) {
            Tally tally = new Tally();
            String name = folder.getFileName().toString();
            String remark = runFolder(folder, options, tally);
            Report report = tally.report(name);
            report.printGroup(out, 10);
            if (!remark.isEmpty()) {
                out.println("    " + remark);
            }
            all.add(report);
        }
        Report report = all.report(name());
        report.printResult(out);
        return report;
    }

    private static List<Path> folders(Path path) throws IOException {
        Path absolute = path.toAbsolutePath().normalize();
        if (Files.isRegularFile(absolute)) {
            return List.of(absolute.getParent());
        }
        if (Files.exists(absolute.resolve(GOLDEN))) {
            return List.of(absolute);
        }
        try (Stream<Path> children = Files.list(absolute)) {
            List<Path> folders = children.filter(Files::isDirectory).sorted().toList();
            if (folders.isEmpty()) {
                throw new IOException("there is no " + GOLDEN + " in " + absolute);
            }
            return folders;
        }
    }

    /** Returns what there is to say beside the counts. */
    private static String runFolder(Path folder, SuiteOptions options, Tally tally)
            throws IOException {
        if (!Files.exists(folder.resolve(GOLDEN))) {
            tally.refused("no " + GOLDEN + " beside a model: not a kind this suite runs");
            return "";
        }
        GoldenFile golden = GoldenFile.read(folder.resolve(GOLDEN));
        try {
            return runModel(folder, golden, options, tally);
        } catch (ModelException e) {
            if (e.kind() == ModelException.Kind.UNSUPPORTED) {
                tally.refused(String.valueOf(e.getMessage()), Math.max(1, golden.prompts().size()));
            } else {
                tally.wrong(String.valueOf(e.getMessage()));
            }
            return "";
        }
    }

    private static String runModel(
            Path folder, GoldenFile golden, SuiteOptions options, Tally tally) {
        var flags = options.engineFlags();
        Activations activations =
                Activations.valueOf(
                        flags.getOrDefault("activations", "bf16").toUpperCase(Locale.ROOT));
        String device = flags.getOrDefault("device", "cpu");
        int threads = Integer.parseInt(flags.getOrDefault("threads", "0"));
        String isa = flags.getOrDefault("isa", "auto");
        ModelConfig config = ModelConfig.read(folder);
        boolean isExact = activations == Activations.F32;
        String seen = "";
        double cpuDifference = Double.NaN;
        if (!isExact && !device.equals("cpu")) {
            cpuDifference = cpuDifference(folder, config, golden, options.limit(), threads);
            seen = " (the cpu's with bf16: %.3f)".formatted(cpuDifference);
        } else if (!isExact && golden.bf16Scale().isPresent()) {
            seen =
                    " (transformers' own with bf16: %.3f)"
                            .formatted(golden.bf16Scale().getAsDouble());
        }
        try (LmDriver driver = LmDriver.open(folder, config, activations, device, threads, isa)) {
            GoldenRun run =
                    isExact
                            ? GoldenRun.exact(driver, golden)
                            : device.equals("cpu")
                                    ? GoldenRun.rounded(driver, golden)
                                    : GoldenRun.rounded(driver, golden, cpuDifference);
            run.run(options.limit(), tally);
            return "largest |dlogit| %.6f%s".formatted(run.largestDifference(), seen);
        }
    }

    /** What bf16 costs on the CPU: the scale by which other devices are judged. */
    private static double cpuDifference(
            Path folder, ModelConfig config, GoldenFile golden, int limit, int threads) {
        try (LmDriver driver =
                LmDriver.open(folder, config, Activations.BF16, "cpu", threads, "auto")) {
            GoldenRun run = GoldenRun.rounded(driver, golden);
            run.run(limit, new Tally());
            return run.largestDifference();
        }
    }
}
