package io.cortado.bench.conformance;

import io.cortado.api.Engine;
import io.cortado.api.EngineOptions;
import io.cortado.model.Activations;
import io.cortado.model.ModelConfig;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;

/** A golden folder's checkpoint, and on what it runs. */
record GoldenModel(
        Path folder,
        ModelConfig config,
        Activations activations,
        String device,
        int threads,
        String isa,
        boolean deterministic) {

    static GoldenModel read(Path folder, SuiteOptions options) {
        Map<String, String> flags = options.engineFlags();
        return new GoldenModel(
                folder,
                ModelConfig.read(folder),
                Activations.valueOf(
                        flags.getOrDefault("activations", "bf16").toUpperCase(Locale.ROOT)),
                flags.getOrDefault("device", "cpu"),
                Integer.parseInt(flags.getOrDefault("threads", "0")),
                flags.getOrDefault("isa", "auto"),
                Boolean.parseBoolean(flags.getOrDefault("deterministic", "true")));
    }

    /** True if float32 arithmetic is to give the reference's numbers. */
    boolean isExact() {
        return activations == Activations.F32;
    }

    boolean isOnCpu() {
        return device.equals("cpu");
    }

    LmDriver openDriver() {
        return LmDriver.open(folder, config, activations, device, threads, isa);
    }

    /** What bf16 costs on the CPU is the scale by which other devices are judged. */
    LmDriver openDriverOnCpu() {
        return LmDriver.open(folder, config, Activations.BF16, "cpu", threads, "auto");
    }

    Engine openEngine() {
        return Engine.open(
                folder,
                EngineOptions.defaults()
                        .device(device)
                        .threads(threads)
                        .isa(isa)
                        .activations(EngineOptions.Activations.valueOf(activations.name()))
                        .deterministic(deterministic));
    }
}
