package io.cortado.bench.conformance;

import io.cortado.api.EngineOptions;
import io.cortado.device.Device;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import tools.jackson.databind.JsonNode;

/**
 * {@code conformance sampling}: samplers' exact vectors, on any device: what is kept and how likely
 * each of it is.
 */
public final class SamplingSuite implements Suite {
    private static final int MAX_PRINTED = 10;
    private static final int MAX_VOCABULARY = 1 << 22;

    /** A case that the sampler has no way for. */
    static final class Refused extends RuntimeException {
        private static final long serialVersionUID = 1;

        private final String reason;

        Refused(String reason) {
            super(reason);
            this.reason = reason;
        }
    }

    /** What a case runs on, and what it had to switch on. */
    static final class Run implements AutoCloseable {
        private final Device device;
        private final Map<Integer, SamplerBed> beds = new HashMap<>();
        private final Set<String> options = new TreeSet<>();

        private Run(Device device) {
            this.device = device;
        }

        SamplerBed bed(int vocabSize) {
            if (vocabSize < 1 || vocabSize > MAX_VOCABULARY) {
                throw new Refused("vocab must be in [1, " + MAX_VOCABULARY + "]: " + vocabSize);
            }
            return beds.computeIfAbsent(vocabSize, size -> new SamplerBed(device, size));
        }

        /** The source's convention is not ours: this option reproduces it. */
        void uses(String option) {
            options.add(option);
        }

        @Override
        public void close() {
            beds.values().forEach(SamplerBed::close);
            device.close();
        }
    }

    @Override
    public String name() {
        return "sampling";
    }

    @Override
    public Report run(Path path, SuiteOptions options, PrintStream out) throws IOException {
        Tally all = new Tally();
        for (Path file : SuiteFiles.under(path, SamplingSuite::isSuiteFile)) {
            Report report = file(file, options, out);
            all.add(report);
        }
        Report report = all.report(name());
        report.printResult(out);
        return report;
    }

    private static boolean isSuiteFile(Path file) {
        String name = file.getFileName().toString();
        return name.endsWith(".jsonl") || name.endsWith(".jsonl.gz");
    }

    private static Report file(Path file, SuiteOptions options, PrintStream out)
            throws IOException {
        Tally tally = new Tally();
        EngineOptions engine = options.engine();
        Set<String> used;
        try (Run run = new Run(Device.open(engine.device(), engine.threads(), engine.isa()))) {
            int number = 0;
            for (JsonNode row : JsonLines.read(file, options.limit())) {
                one(row, ++number, run, tally);
            }
            used = run.options;
        }
        Report report = tally.report(file.getFileName().toString());
        report.printGroup(out, MAX_PRINTED);
        used.forEach(option -> out.println("    by option: " + option));
        return report;
    }

    private static void one(JsonNode row, int number, Run run, Tally tally) {
        String label =
                "line " + number + " " + row.path("id").asString(row.path("op").asString(""));
        try {
            String difference =
                    row.has("logits")
                            ? TransformersVector.judge(row, run)
                            : LlamaCppVector.judge(row, run);
            if (difference.isEmpty()) {
                tally.right();
            } else {
                tally.wrong(label + ": " + difference);
            }
        } catch (Refused e) {
            tally.refused(e.reason);
        } catch (IllegalStateException e) {
            tally.wrong(label + ": " + e.getMessage());
        }
    }
}
