package io.cortado.bench.sim;

import io.cortado.bench.BenchException;
import io.cortado.engine.SimulatedEngine.StepCost;
import io.cortado.engine.SimulatedEngine.Work;
import java.io.IOException;
import java.io.StringReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Properties;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What a step costs: the layers by a measured table, or by the larger of their operations and the
 * bytes of their weights; attention by the larger of its operations and the bytes of keys and
 * values that it reads; moves to and from the host; and what every step costs.
 */
public final class DeviceCost implements StepCost {
    private static final int MAX_FILE_BYTES = 1 << 16;
    private static final double NANOS = 1e9;
    private static final double FLOPS_PER_PARAMETER = 2;
    private static final int ALL_REDUCES_PER_LAYER = 2;
    private static final int BLOCK_TOKENS = 16;

    /**
     * Keys of a cost file and their defaults: the shape of Llama 3.1 8B in bf16; 60% of an H100
     * SXM's dense bf16 peak and 80% of its memory rate by its data sheet, and 25 GB/s over PCIe.
     * Assumed, not measured.
     */
    private static final List<String> DEFAULTS =
            List.of(
                    "parameters=8.03e9",
                    "bytes_per_parameter=2",
                    "layers=32",
                    "hidden=4096",
                    "kv_bytes_per_token=131072",
                    "attention_flops_per_pair=524288",
                    "flops_per_s=593e12",
                    "bytes_per_s=2.68e12",
                    "host_bytes_per_s=25e9",
                    "step_us=500");

    private final double parameterFlops;
    private final double weightBytes;
    private final double layers;
    private final double hidden;
    private final double kvBytes;
    private final double pairFlops;
    private final double flopsPerNano;
    private final double bytesPerNano;
    private final double hostBytesPerNano;
    private final double stepNanos;
    private final OperatorTable.@Nullable Curve layer;
    private final OperatorTable.@Nullable Curve allReduce;
    private final String text;

    private DeviceCost(
            Properties values,
            int ranks,
            @Nullable OperatorTable layers,
            @Nullable OperatorTable allReduce) {
        double shard = 1.0 / ranks;
        double parameters = value(values, "parameters") * shard;
        parameterFlops = FLOPS_PER_PARAMETER * parameters;
        weightBytes = parameters * value(values, "bytes_per_parameter");
        this.layers = value(values, "layers");
        hidden = value(values, "hidden");
        kvBytes = value(values, "kv_bytes_per_token") * shard;
        pairFlops = value(values, "attention_flops_per_pair") * shard;
        flopsPerNano = value(values, "flops_per_s") / NANOS;
        bytesPerNano = value(values, "bytes_per_s") / NANOS;
        hostBytesPerNano = value(values, "host_bytes_per_s") / NANOS;
        stepNanos = value(values, "step_us") * 1e3;
        layer = layers == null ? null : layers.curve(ranks);
        this.allReduce = allReduce == null ? null : allReduce.curve(ranks);
        text =
                "%s, tensor-parallel=%d%s%s"
                        .formatted(
                                values.getProperty("name", "Llama 3.1 8B on an H100, assumed"),
                                ranks,
                                layers == null ? "" : ", layers as measured",
                                allReduce == null ? "" : ", all-reduce as measured");
    }

    /**
     * @param files {@code default}, or cost files of {@code key=value} lines and tables of measured
     *     operators; keys that no file has keep their defaults
     */
    public static DeviceCost of(List<String> files, int ranks) throws IOException {
        Properties values = properties(String.join("\n", DEFAULTS));
        Set<String> known = Set.copyOf(values.stringPropertyNames());
        OperatorTable layers = null;
        OperatorTable allReduce = null;
        for (String name : files) {
            if (name.equals("default")) {
                continue;
            }
            Path file = Path.of(name);
            if (!Files.isRegularFile(file)) {
                throw new BenchException("--cost must be default or files: cost=" + name);
            }
            if (!OperatorTable.isTable(file)) {
                addAll(values, known, file);
            } else {
                OperatorTable table = OperatorTable.read(file);
                switch (table.kind()) {
                    case LAYER -> layers = table;
                    case ALL_REDUCE -> allReduce = table;
                }
            }
        }
        return new DeviceCost(values, ranks, layers, ranks == 1 ? null : allReduce);
    }

    private static void addAll(Properties values, Set<String> known, Path file) throws IOException {
        if (Files.size(file) > MAX_FILE_BYTES) {
            throw new BenchException(
                    "a cost file has at most %d bytes: file=%s".formatted(MAX_FILE_BYTES, file));
        }
        Properties own = properties(Files.readString(file));
        for (String key : own.stringPropertyNames()) {
            if (!known.contains(key) && !key.equals("name")) {
                throw new BenchException(
                        "%s: unknown key %s; known are name and %s".formatted(file, key, known));
            }
        }
        values.putAll(own);
    }

    private static Properties properties(String text) throws IOException {
        Properties properties = new Properties();
        try {
            properties.load(new StringReader(text));
        } catch (IllegalArgumentException e) {
            throw new BenchException("not lines of key=value: " + e.getMessage(), e);
        }
        return properties;
    }

    private static double value(Properties values, String key) {
        String text = values.getProperty(key);
        try {
            double value = Double.parseDouble(text);
            if (value > 0 && Double.isFinite(value)) {
                return value;
            }
        } catch (NumberFormatException e) {
            throw new BenchException(key + " must be a positive number: " + key + "=" + text, e);
        }
        throw new BenchException(key + " must be a positive number: " + key + "=" + text);
    }

    @Override
    public double nanos(Work work) {
        double linear =
                layer != null
                        ? layers * layer.at(work.tokens)
                        : Math.max(
                                parameterFlops * work.tokens / flopsPerNano,
                                weightBytes / bytesPerNano);
        double attention =
                Math.max(
                        pairFlops * work.attended / flopsPerNano,
                        kvBytes * work.readTokens / bytesPerNano);
        double moved = work.movedBlocks * BLOCK_TOKENS * kvBytes / hostBytesPerNano;
        double reduced =
                allReduce == null
                        ? 0
                        : layers
                                * ALL_REDUCES_PER_LAYER
                                * allReduce.at((long) (work.tokens * hidden * 2));
        return stepNanos + linear + attention + moved + reduced;
    }

    @Override
    public String toString() {
        return text;
    }
}
