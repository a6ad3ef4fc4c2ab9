package io.cortado.bench;

import io.cortado.api.Engine;
import io.cortado.api.EngineOptions;
import io.cortado.api.KvCacheDtype;
import io.cortado.api.Speculation;
import io.cortado.api.SpeculativeConfig;
import io.cortado.demo.DemoModel;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The engine's own flags, with vLLM's names where it has one. */
public final class EngineFlags {
    @Option(names = "--device", description = "cpu, cuda:N or simt:0", defaultValue = "cpu")
    String device = "cpu";

    @Option(names = "--threads", description = "threads that compute; 0: one per core")
    int threads;

    @Option(names = "--isa", description = "auto, avx512, avx2 or scalar", defaultValue = "auto")
    String isa = "auto";

    @Option(names = "--activations", description = "bf16 or f32")
    EngineOptions.Activations activations = EngineOptions.Activations.BF16;

    @Option(names = "--max-model-len", description = "longest prompt plus output; 0: the model's")
    int maxModelLen;

    @Option(names = "--max-num-seqs", description = "sequences that run at once")
    int maxNumSeqs = EngineOptions.defaults().maxNumSeqs();

    @Option(names = "--max-num-batched-tokens", description = "token budget of a step")
    int maxNumBatchedTokens = EngineOptions.defaults().maxNumBatchedTokens();

    @Option(names = "--itl-target-ms", description = "time between tokens to keep; 0: any")
    int itlTargetMs = EngineOptions.defaults().itlTargetMs();

    @Option(names = "--mask-wait-ms", description = "time that a step waits for a mask")
    int maskWaitMs = EngineOptions.defaults().maskWaitMs();

    @Option(
            names = "--jump-forward",
            description =
                    "append all that a constraint leaves no choice about at once, cut into tokens"
                            + " as the tokenizer does")
    boolean isJumpingForward = EngineOptions.defaults().jumpForward();

    @Option(names = "--kv-cache-memory", description = "bytes of KV cache; 0: chosen")
    long kvCacheBytes;

    @Option(
            names = "--gpu-memory-utilization",
            description = "part of the free memory that the engine may take; 0: chosen")
    double memoryUtilization;

    @Option(
            names = "--kv-cache-dtype",
            paramLabel = "TYPE",
            description = "auto (the activations'), bf16, f16, f32 or fp8")
    String kvCacheDtype = "auto";

    @Option(
            names = "--enable-prefix-caching",
            negatable = true,
            fallbackValue = "true",
            description = "use keys and values of ended requests again")
    boolean prefixCaching = EngineOptions.defaults().prefixCaching();

    @Option(
            names = "--kv-offload-gb",
            paramLabel = "GB",
            description = "host memory for KV blocks whose place is needed")
    double kvOffloadGb;

    @Option(
            names = "--kv-offload-disk-gb",
            paramLabel = "GB",
            description =
                    "a file for KV blocks whose place in host memory is needed; default: none")
    double kvOffloadDiskGb;

    @Option(names = "--kv-offload-dir", paramLabel = "FOLDER", description = "where that file is")
    String kvOffloadDir = "";

    @Option(
            names = "--scheduling-policy",
            paramLabel = "NAME",
            description = "fcfs, priority, deadline or fair")
    EngineOptions.SchedulingPolicy schedulingPolicy = EngineOptions.defaults().schedulingPolicy();

    @Option(
            names = "--tenant-weights",
            paramLabel = "NAME=WEIGHT",
            split = ",",
            description = "policy fair: shares of tenants, 1 for those not named")
    Map<String, Double> tenantWeights = Map.of();

    @Option(
            names = "--speculative-config",
            paramLabel = "JSON",
            description =
                    "who drafts tokens ahead, as vLLM says it: {\"method\": \"ngram\","
                            + " \"num_speculative_tokens\": 4}; methods: ngram, suffix, mtp (the"
                            + " model's own layer), and draft_model and eagle3, these two with"
                            + " \"model\": a folder, demo-draft or demo-eagle3")
    String speculativeConfig = "";

    @Option(
            names = "--tensor-parallel-size",
            paramLabel = "N",
            description = "ranks of this process that run the model together")
    int tensorParallelSize = EngineOptions.defaults().tensorParallelSize();

    @Option(
            names = "--deterministic",
            arity = "0..1",
            fallbackValue = "true",
            paramLabel = "true|false",
            description = "tokens do not depend on what shares the batch")
    boolean isDeterministic = EngineOptions.defaults().deterministic();

    @Option(
            names = "--dummy-weights",
            paramLabel = "CONFIG.json",
            description = "a model of that shape with random weights")
    @Nullable Path dummyWeights;

    public EngineOptions options() {
        return EngineOptions.defaults()
                .device(device)
                .threads(threads)
                .isa(isa)
                .activations(activations)
                .kvCacheDtype(KvCacheDtype.parse(kvCacheDtype))
                .maxModelLen(maxModelLen)
                .maxNumSeqs(maxNumSeqs)
                .maxNumBatchedTokens(maxNumBatchedTokens)
                .itlTargetMs(itlTargetMs)
                .maskWaitMs(maskWaitMs)
                .jumpForward(isJumpingForward)
                .tensorParallelSize(tensorParallelSize)
                .kvCacheBytes(kvCacheBytes)
                .memoryUtilization(memoryUtilization)
                .prefixCaching(prefixCaching)
                .kvOffloadBytes((long) (kvOffloadGb * (1 << 30)))
                .kvOffloadDisk((long) (kvOffloadDiskGb * (1 << 30)), kvOffloadDir)
                .schedulingPolicy(schedulingPolicy)
                .tenantWeights(tenantWeights)
                .dummyWeights(dummyWeights != null)
                .deterministic(isDeterministic)
                .speculation(speculation());
    }

    private Speculation speculation() {
        if (speculativeConfig.isEmpty()) {
            return Speculation.OFF;
        }
        Speculation read = SpeculativeConfig.parse(speculativeConfig);
        try {
            return read.model().isEmpty()
                    ? read
                    : read.model(named(Path.of(read.model())).toString());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Opens the named model, the shape with random weights, or else the demo model. */
    Engine open(@Nullable Path model, EngineOptions options) throws IOException {
        return Engine.open(modelFolder(model), options);
    }

    /** A bundled model by its name, unless something of that name is there. */
    private static Path named(Path model) throws IOException {
        return DemoModel.find(model, name -> CacheFolder.resolve(name.toString()));
    }

    Path modelFolder(@Nullable Path model) throws IOException {
        Path config = dummyWeights;
        if (config == null) {
            return model == null ? DemoModel.unpack(CacheFolder.resolve("demo")) : named(model);
        }
        if (model != null) {
            throw new BenchException(
                    "a model and --dummy-weights exclude each other: model="
                            + model
                            + " dummy-weights="
                            + config);
        }
        if (!Files.isRegularFile(config)) {
            throw new BenchException(
                    "--dummy-weights must be a config.json: dummy-weights=" + config);
        }
        Path folder = Files.createTempDirectory("cortado-dummy");
        Path copy = Files.copy(config, folder.resolve("config.json"));
        // Reverse order of registration: the file goes before its folder.
        folder.toFile().deleteOnExit();
        copy.toFile().deleteOnExit();
        return folder;
    }
}
