package io.cortado.bench.conformance;

import io.cortado.api.Engine;
import io.cortado.api.EngineOptions;
import io.cortado.model.Activations;
import io.cortado.model.ModelConfig;
import java.nio.file.Path;

/** A golden folder's checkpoint, and on what it runs. */
record GoldenModel(Path folder, ModelConfig config, EngineOptions options) {

    static GoldenModel read(Path folder, SuiteOptions options) {
        return new GoldenModel(folder, ModelConfig.read(folder), options.engine());
    }

    /** True if float32 arithmetic is to give the reference's numbers. */
    boolean isExact() {
        return options.activations() == EngineOptions.Activations.F32;
    }

    boolean isOnCpu() {
        return options.device().equals("cpu");
    }

    LmDriver openDriver() {
        return LmDriver.open(
                folder,
                config,
                Activations.valueOf(options.activations().name()),
                options.device(),
                options.threads(),
                options.isa());
    }

    /** What bf16 costs on the CPU is the scale by which other devices are judged. */
    LmDriver openDriverOnCpu() {
        return LmDriver.open(folder, config, Activations.BF16, "cpu", options.threads(), "auto");
    }

    Engine openEngine() {
        return Engine.open(folder, options);
    }
}
