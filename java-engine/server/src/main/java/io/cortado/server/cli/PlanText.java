package io.cortado.server.cli;

import io.cortado.api.ByteSize;
import io.cortado.api.DeviceRates;
import io.cortado.api.EnginePlan;
import io.cortado.api.PlanLoad;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/** A plan for people. */
final class PlanText {
    private PlanText() {}

    static List<String> lines(String name, EnginePlan plan) {
        List<String> lines = new ArrayList<>();
        EnginePlan.Memory memory = plan.memory();
        EnginePlan.OnHost onHost = memory.onHost();
        PlanLoad load = plan.load();
        lines.add(
                "model      %s (%s), %,d parameters, sequences of at most %d tokens"
                        .formatted(
                                name, plan.architecture(), plan.parameters(), plan.maxModelLen()));
        lines.add(
                "device     %s: %s, %s free"
                        .formatted(
                                plan.device(),
                                ByteSize.text(memory.totalBytes()),
                                ByteSize.text(memory.freeBytes())));
        lines.add(
                "weights    %s: %s"
                        .formatted(
                                ByteSize.text(
                                        memory.weightBytes()
                                                + (onHost == null ? 0 : onHost.weightBytes())),
                                memory.weightsByFormat().entrySet().stream()
                                        .map(entry ->
                                                entry.getKey()
                                                        + " "
                                                        + ByteSize.text(entry.getValue()))
                                        .collect(Collectors.joining(", "))));
        lines.add("workspace  " + ByteSize.text(memory.workspaceBytes()));
        if (onHost != null) {
            lines.add(
                    "on host    experts, %s of the weights, and workspace %s, of %s free there"
                            .formatted(
                                    ByteSize.text(onHost.weightBytes()),
                                    ByteSize.text(onHost.workspaceBytes()),
                                    ByteSize.text(onHost.freeBytes())));
        }
        lines.add("kv token   " + ByteSize.text(memory.kvBytesPerToken()));
        if (memory.kvBytes() > 0) {
            lines.add("kv cache   " + memory.why());
            lines.add(
                    "           %,d tokens: %d sequences of %d + %d, or %d of %d"
                            .formatted(
                                    memory.kvTokens(),
                                    memory.sequencesOfLoad(),
                                    load.promptTokens(),
                                    load.outputTokens(),
                                    memory.sequencesOfMaxLen(),
                                    plan.maxModelLen()));
        }
        EnginePlan.Prediction prediction = plan.prediction();
        if (prediction != null) {
            addPrediction(lines, load, prediction);
        } else if (plan.refusal() == null) {
            lines.add("speed      not predicted: the device computes for tests");
        }
        if (plan.rates() != null) {
            lines.add("rates      " + rates(plan.rates()));
        }
        return lines;
    }

    private static void addPrediction(
            List<String> lines, PlanLoad load, EnginePlan.Prediction prediction) {
        lines.add(
                "load       %d at once of %d + %d tokens; %d run together, %d preemptions"
                        .formatted(
                                load.concurrency(),
                                load.promptTokens(),
                                load.outputTokens(),
                                prediction.runningAtOnce(),
                                prediction.preemptions()));
        lines.add(
                format(
                        "ttft       %.1f ms, the last %.1f ms (no kernel below %.1f for one prompt)",
                        prediction.ttftMs(),
                        prediction.lastTtftMs(),
                        prediction.roofline().prefillMs()));
        lines.add("           first step: " + operators(prediction.firstStep()));
        lines.add(
                format(
                        "tpot       %.2f ms (no kernel below %.2f); all in %.1f s, %.1f output tokens/s",
                        prediction.tpotMs(),
                        prediction.roofline().decodeMs(),
                        prediction.e2eMs() / 1e3,
                        prediction.outputTokensPerSecond()));
        lines.add("           decode step: " + operators(prediction.decodeStep()));
    }

    private static String operators(Map<String, Double> millis) {
        double sum = millis.values().stream().mapToDouble(Double::doubleValue).sum();
        return format("%.2f ms = ", sum)
                + millis.entrySet().stream()
                        .map(entry -> format("%.2f %s", entry.getValue(), entry.getKey()))
                        .collect(Collectors.joining(" + "));
    }

    /** One line; where the rates are from is in it. */
    static String rates(DeviceRates rates) {
        String text =
                format(
                        "%.1f GB/s read, %.0f GFLOP/s bf16, %.0f GFLOP/s f32, %.1f us an operation;",
                        rates.readBytesPerSecond() / 1e9,
                        rates.bf16FlopsPerSecond() / 1e9,
                        rates.f32FlopsPerSecond() / 1e9,
                        rates.operationMicros());
        String from =
                rates.isFromCache()
                        ? " of %s in %s".formatted(rates.measured(), rates.file())
                        : " measured now, kept in " + rates.file();
        return text + from + (rates.note().isEmpty() ? "" : " (" + rates.note() + ")");
    }

    private static String format(String format, Object... values) {
        return String.format(Locale.ROOT, format, values);
    }
}
