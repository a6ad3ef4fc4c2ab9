package io.cortado.bench.conformance;

import io.cortado.device.Device;
import io.cortado.model.ModelConfig;
import io.cortado.model.ModelException;
import io.cortado.model.TensorProbe;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.JsonNode;

/** Finds the matrices of a model that are read wrong, by the sums that its golden file has. */
final class TensorSums {
    private static final double TOLERANCE = 1e-6;

    private TensorSums() {}

    /** A remark for a model that failed. */
    static String differing(Path model, JsonNode tensors) {
        List<String> differing = new ArrayList<>();
        try (Device device = Device.open("cpu", 0, "auto");
                TensorProbe probe = TensorProbe.open(device, model, ModelConfig.read(model))) {
            for (JsonNode tensor : tensors) {
                int[] ne = JsonLines.ints(tensor.path("ne"));
                if (ne.length == 2) {
                    float[] values = probe.matrix(tensor.path("name").asString(""), ne[1], ne[0]);
                    if (!hasSums(tensor, values)) {
                        differing.add(tensor.path("name").asString(""));
                    }
                }
            }
        } catch (ModelException e) {
            return "; " + e.getMessage();
        }
        return differing.isEmpty()
                ? "; all matrices have the sums of golden.json"
                : "; matrices whose sums differ: " + differing;
    }

    private static boolean hasSums(JsonNode tensor, float[] values) {
        double sum = 0;
        double magnitudes = 0;
        for (float value : values) {
            sum += value;
            magnitudes += Math.abs(value);
        }
        double limit = TOLERANCE * tensor.path("abs_sum").doubleValue();
        return Math.abs(sum - tensor.path("sum").doubleValue()) <= limit
                && Math.abs(magnitudes - tensor.path("abs_sum").doubleValue()) <= limit;
    }
}
