package io.cortado.bench.sim;

import io.cortado.bench.BenchException;
import io.cortado.engine.SimulatedEngine.StepCost;
import io.cortado.engine.SimulatedEngine.Work;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * What a step costs by the steps of one machine and model, as {@code bench fit} measures them: a
 * curve by tokens, more for each further row of logits, and attention by the larger of its pairs
 * and of the tokens whose keys it reads. Moves to host memory are not in it.
 *
 * @param tokens rising
 * @param nanos of a step of so many tokens of one prompt with nothing before it, at each
 */
public record FittedCost(
        String name,
        long[] tokens,
        double[] nanos,
        double rowNanos,
        double pairNanos,
        double readNanos)
        implements StepCost {
    private static final int MAX_FILE_BYTES = 1 << 16;

    public FittedCost {
        if (tokens.length == 0 || tokens.length != nanos.length) {
            throw new BenchException(
                    "tokens and nanos must be as many, and at least one: tokens=%d nanos=%d"
                            .formatted(tokens.length, nanos.length));
        }
        for (int i = 0; i < tokens.length; i++) {
            if (tokens[i] <= (i == 0 ? 0 : tokens[i - 1])) {
                throw new BenchException("tokens must be positive and rise: " + tokens[i]);
            }
            requireTime("nanos", nanos[i], nanos[i] > 0);
        }
        requireTime("row_nanos", rowNanos, rowNanos >= 0);
        requireTime("pair_nanos", pairNanos, pairNanos >= 0);
        requireTime("read_nanos", readNanos, readNanos >= 0);
    }

    private static void requireTime(String key, double value, boolean holds) {
        if (!holds || !Double.isFinite(value)) {
            throw new BenchException("%s must be a time: %s=%s".formatted(key, key, value));
        }
    }

    /** True if the name is that of such a file. */
    public static boolean isOne(String file) {
        return file.toLowerCase(Locale.ROOT).endsWith(".json");
    }

    public static FittedCost read(Path file) throws IOException {
        if (!Files.isRegularFile(file) || Files.size(file) > MAX_FILE_BYTES) {
            throw new BenchException(
                    "--cost must be a file of at most %d bytes: cost=%s"
                            .formatted(MAX_FILE_BYTES, file));
        }
        try {
            JsonNode json = JsonMapper.shared().readTree(Files.readAllBytes(file));
            JsonNode tokens = json.path("tokens");
            JsonNode nanos = json.path("nanos");
            long[] sizes = new long[tokens.size()];
            double[] times = new double[nanos.size()];
            for (int i = 0; i < sizes.length; i++) {
                sizes[i] = tokens.get(i).asLong(0);
            }
            for (int i = 0; i < times.length; i++) {
                times[i] = nanos.get(i).asDouble(0);
            }
            return new FittedCost(
                    json.path("name").asString(file.toString()),
                    sizes,
                    times,
                    json.path("row_nanos").asDouble(-1),
                    json.path("pair_nanos").asDouble(-1),
                    json.path("read_nanos").asDouble(-1));
        } catch (JacksonException e) {
            throw new BenchException("not JSON: file=" + file, e);
        }
    }

    public void write(Path file) throws IOException {
        ObjectNode json = JsonMapper.shared().createObjectNode();
        json.put("name", name);
        ArrayNode sizes = json.putArray("tokens");
        ArrayNode times = json.putArray("nanos");
        for (int i = 0; i < tokens.length; i++) {
            sizes.add(tokens[i]);
            times.add(nanos[i]);
        }
        json.put("row_nanos", rowNanos);
        json.put("pair_nanos", pairNanos);
        json.put("read_nanos", readNanos);
        Files.write(file, JsonMapper.shared().writeValueAsBytes(json));
    }

    @Override
    public double nanos(Work work) {
        double attention = Math.max(pairNanos * work.attended, readNanos * work.readTokens);
        double rows = rowNanos * Math.max(0, work.rows - 1);
        return new OperatorTable.Curve(tokens, nanos).at(work.tokens) + rows + attention;
    }

    @Override
    public String toString() {
        return name + ", as measured";
    }
}
