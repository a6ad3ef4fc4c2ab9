package io.cortado.bench.conformance;

import io.cortado.api.Engine;
import io.cortado.api.EngineOptions;
import io.cortado.api.KvCacheDtype;
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

    /** Keys and values rounded to a type of their own: nothing outside says how far that goes. */
    boolean hasOwnKvType() {
        return options.kvCacheDtype() != KvCacheDtype.AUTO;
    }

    LmDriver openDriver() {
        return LmDriver.open(folder, config, options);
    }

    /** With keys and values in the activations' type. */
    LmDriver openPlainDriver() {
        return LmDriver.open(folder, config, options.kvCacheDtype(KvCacheDtype.AUTO));
    }

    /** What bf16 costs on the CPU is the scale by which other devices are judged. */
    LmDriver openDriverOnCpu() {
        return LmDriver.open(
                folder,
                config,
                options.device("cpu").isa("auto").activations(EngineOptions.Activations.BF16));
    }

    Engine openEngine() {
        return Engine.open(folder, options);
    }
}
