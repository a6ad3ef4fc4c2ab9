package io.cortado.bench.conformance;

import io.cortado.device.Device;
import io.cortado.model.ModelConfig;
import io.cortado.model.ModelException;
import io.cortado.model.SafetensorsFile;
import io.cortado.model.TensorProbe;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.stream.Stream;
import tools.jackson.databind.JsonNode;

/**
 * {@code conformance quant}: quantised safetensors as published, each with one matrix dequantised
 * and a model's logits; the values of small floats; malformed files.
 */
public final class QuantSuite implements Suite {
    private static final int MAX_PRINTED = 10;
    private static final String GOLDEN = "golden.json";
    private static final String FORMATS = "formats.json";

    @Override
    public String name() {
        return "quant";
    }

    @Override
    public Report run(Path path, SuiteOptions options, PrintStream out) throws IOException {
        Tally all = new Tally();
        for (Path one : groups(path.toAbsolutePath().normalize())) {
            Tally tally = new Tally();
            String remark = group(one, options, tally);
            Report report = tally.report(one.getFileName().toString());
            report.printGroup(out, MAX_PRINTED);
            if (!remark.isEmpty()) {
                out.println("    " + remark);
            }
            all.add(report);
        }
        Report report = all.report(name());
        report.printResult(out);
        return report;
    }

    /** Folders of models or malformed files, tables of values, single malformed files. */
    private static List<Path> groups(Path path) throws IOException {
        if (Files.isRegularFile(path)) {
            String name = path.getFileName().toString();
            boolean isAlone = name.equals(FORMATS) || BadFiles.has(path.resolveSibling(""));
            return List.of(isAlone && !name.equals("bad.json") ? path : path.resolveSibling(""));
        }
        if (BadFiles.has(path) || Files.exists(path.resolve(GOLDEN))) {
            return List.of(path);
        }
        List<Path> groups = new ArrayList<>();
        try (Stream<Path> children = Files.list(path)) {
            for (Path child : children.sorted().toList()) {
                if (Files.isDirectory(child)) {
                    groups.addAll(groups(child));
                } else if (child.getFileName().toString().equals(FORMATS)) {
                    groups.add(child);
                }
            }
        }
        return groups;
    }

    /** Returns what there is to say beside the counts. */
    private static String group(Path path, SuiteOptions options, Tally tally) throws IOException {
        if (Files.isRegularFile(path)) {
            if (path.getFileName().toString().equals(FORMATS)) {
                DequantRows.codes(path, tally);
            } else {
                bad(path.resolveSibling("bad.json"), path.getFileName().toString(), options, tally);
            }
            return "";
        }
        if (BadFiles.has(path)) {
            bad(path.resolve("bad.json"), "", options, tally);
            return "";
        }
        return model(path, options, tally);
    }

    private static void bad(Path facts, String only, SuiteOptions options, Tally tally)
            throws IOException {
        BadFiles.run(
                facts, only, options.limit(), file -> SafetensorsFile.open(file).close(), tally);
    }

    private static String model(Path folder, SuiteOptions options, Tally tally) throws IOException {
        Path facts = folder.resolve(GOLDEN);
        JsonNode tensor = JsonLines.readTree(facts).path("tensor");
        if (tensor.isObject()) {
            compareTensor(folder, tensor, tally);
        }
        return GoldenSuite.runChecked(folder, GoldenFile.read(facts), options, tally);
    }

    private static void compareTensor(Path folder, JsonNode tensor, Tally tally) {
        String name = tensor.path("name").asString("");
        byte[] bytes = Base64.getDecoder().decode(tensor.path("f32_base64").asString(""));
        float[] expected = new float[bytes.length / 4];
        ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(expected);
        try {
            ModelConfig config = ModelConfig.read(folder);
            int[] shape = JsonLines.ints(tensor.path("shape"));
            try (Device device = Device.open("cpu", 1, "auto");
                    TensorProbe probe = TensorProbe.open(device, folder, config)) {
                float[] actual =
                        shape.length == 3
                                ? experts(probe, name, shape)
                                : probe.matrix(name, shape[0], shape[1]);
                String difference = DequantRows.difference(expected, actual);
                if (difference.isEmpty()) {
                    tally.right();
                } else {
                    tally.wrong(name + ": " + difference);
                }
            }
        } catch (ModelException e) {
            GoldenSuite.count(e, 1, tally);
        }
    }

    /** The down projections of all experts, [experts][in][out] as transformers holds them. */
    private static float[] experts(TensorProbe probe, String name, int[] shape) {
        int rows = shape[2];
        int cols = shape[1];
        float[] all = new float[shape[0] * rows * cols];
        for (int e = 0; e < shape[0]; e++) {
            String own = name.replace(".down_proj", "." + e + ".down_proj.weight");
            float[] expert = probe.matrix(own, rows, cols);
            for (int i = 0; i < expert.length; i++) {
                all[(e * cols + i % cols) * rows + i / cols] = expert[i];
            }
        }
        return all;
    }
}
