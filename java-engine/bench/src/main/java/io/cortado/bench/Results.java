package io.cortado.bench;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;

/** What a run has measured, and what had to hold and did not. */
public final class Results {
    private final Map<String, ResultLine> lines = new LinkedHashMap<>();
    private final List<String> failures = new ArrayList<>();

    public void put(String metric, double value, String unit) {
        if (lines.putIfAbsent(metric, new ResultLine(metric, value, unit)) != null) {
            throw new IllegalArgumentException("a metric is printed once: metric=" + metric);
        }
    }

    /** Something that must hold does not: the command's exit code becomes 1. */
    public void fail(String message) {
        failures.add(message);
    }

    public boolean failed() {
        return !failures.isEmpty();
    }

    public List<ResultLine> lines() {
        return List.copyOf(lines.values());
    }

    public void print(PrintStream out) {
        lines.values().forEach(out::println);
        failures.forEach(failure -> out.println("FAILED " + failure));
    }

    public void writeJson(Path file) throws IOException {
        Map<String, Object> root = new LinkedHashMap<>();
        root.put("machine", Machine.describe());
        root.put(
                "results",
                lines.values().stream()
                        .map(line ->
                                Map.of(
                                        "metric", line.metric(),
                                        "value", line.value(),
                                        "unit", line.unit()))
                        .toList());
        root.put("failures", failures);
        JsonMapper mapper = JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT).build();
        Files.writeString(file, mapper.writeValueAsString(root) + "\n");
    }
}
