package io.cortado.server.cli;

import io.cortado.api.Engine;
import io.cortado.api.EngineOptions;
import io.cortado.api.EngineOptions.Activations;
import io.cortado.api.KvCacheDtype;
import io.cortado.api.Speculation;
import io.cortado.api.SpeculativeConfig;
import io.cortado.demo.DemoModel;
import io.cortado.server.Version;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Flags that say which model runs and how; vLLM's names where vLLM has one. */
final class EngineFlags {
    private static final List<String> TEXT_FILES =
            List.of(
                    "tokenizer.json",
                    "tokenizer_config.json",
                    "chat_template.jinja",
                    "chat_template.json",
                    "special_tokens_map.json",
                    "generation_config.json");

    @Option(
            names = "--revision",
            paramLabel = "NAME",
            description = "branch, tag or commit, where MODEL is one of a Hugging Face cache")
    String revision = "";

    @Option(names = "--max-model-len", paramLabel = "N", description = "longest prompt plus output")
    int maxModelLen = 0;

    @Option(names = "--max-num-seqs", paramLabel = "N", description = "sequences in a batch")
    int maxNumSeqs = EngineOptions.defaults().maxNumSeqs();

    @Option(
            names = "--max-num-batched-tokens",
            paramLabel = "N",
            description = "token budget of a step")
    int maxNumBatchedTokens = EngineOptions.defaults().maxNumBatchedTokens();

    @Option(
            names = "--itl-target-ms",
            paramLabel = "MS",
            description =
                    "time between tokens to keep while prompts enter: smaller chunks of them; 0: any")
    int itlTargetMs = EngineOptions.defaults().itlTargetMs();

    @Option(
            names = "--mask-wait-ms",
            paramLabel = "MS",
            description =
                    "time that a step waits for the mask of a constraint; then others go on;"
                            + " default: ${DEFAULT-VALUE}")
    int maskWaitMs = EngineOptions.defaults().maskWaitMs();

    @Option(
            names = "--jump-forward",
            description =
                    "append all that a constraint leaves no choice about at once, cut into tokens"
                            + " as the tokenizer does")
    boolean isJumpingForward = EngineOptions.defaults().jumpForward();

    @Option(
            names = "--max-waiting",
            paramLabel = "N",
            description = "requests that may wait; more get 429")
    int maxWaiting = EngineOptions.defaults().maxWaiting();

    @Option(
            names = "--max-waiting-tokens",
            paramLabel = "N",
            description = "prompt tokens that may wait; more get 429; default: any number")
    long maxWaitingTokens = EngineOptions.defaults().maxWaitingTokens();

    @Option(
            names = "--step-timeout-s",
            paramLabel = "SECONDS",
            description =
                    "a step that takes longer fails the engine; 0: no limit; default: ${DEFAULT-VALUE}")
    double stepTimeoutS = EngineOptions.defaults().stepTimeoutMs() / 1e3;

    @Option(
            names = {"--kv-cache-memory", "--kv-cache-memory-bytes"},
            paramLabel = "BYTES",
            description = "memory for the KV cache, as 512M or 4G")
    @Nullable String kvCacheMemory;

    @Option(
            names = "--gpu-memory-utilization",
            paramLabel = "PART",
            description =
                    "part of the device's free memory that weights, workspaces and the KV cache may"
                            + " take, on the CPU as well; default: 0.9, of which a CPU's KV cache"
                            + " takes half of what the others leave")
    double memoryUtilization = EngineOptions.defaults().memoryUtilization();

    @Option(
            names = "--kv-cache-dtype",
            paramLabel = "TYPE",
            description = "auto (the activations'), bf16, f16, f32 or fp8")
    String kvCacheDtype = "auto";

    @Option(
            names = "--enable-prefix-caching",
            negatable = true,
            fallbackValue = "true",
            description = "use keys and values of ended requests again; default: on")
    boolean prefixCaching = EngineOptions.defaults().prefixCaching();

    @Option(
            names = "--kv-offload-gb",
            paramLabel = "GB",
            description = "host memory for KV blocks whose place is needed; default: none")
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
            description = "fcfs, priority, deadline or fair; default: fcfs")
    EngineOptions.SchedulingPolicy schedulingPolicy = EngineOptions.defaults().schedulingPolicy();

    @Option(
            names = "--tenant-weights",
            paramLabel = "NAME=WEIGHT",
            split = ",",
            description = "policy fair: shares of tenants, 1 for those not named")
    Map<String, Double> tenantWeights = Map.of();

    @Option(
            names = "--threads",
            paramLabel = "N",
            description = "computing threads; 0: one per core")
    int threads = 0;

    @Option(names = "--device", paramLabel = "NAME", description = "cpu, cuda:N or simt:0")
    String device = EngineOptions.defaults().device();

    @Option(
            names = "--expert-device",
            paramLabel = "NAME",
            description =
                    "cpu: experts stay in host memory and the CPU computes them, all else is on the"
                            + " --device, cuda:N or simt:0; default: all on the device")
    String expertDevice = EngineOptions.defaults().expertDevice();

    @Option(
            names = "--expert-cache-gb",
            paramLabel = "GB",
            description =
                    "memory of the --device for experts that are chosen often, with --expert-device;"
                            + " default: none")
    double expertCacheGb = 0;

    @Option(
            names = "--expert-loads",
            paramLabel = "FILE",
            description =
                    "how often experts were chosen, for --expert-cache-gb: what GET /debug/experts of"
                            + " a server answered")
    String expertLoads = "";

    @Mixin GangFlags gangFlags = new GangFlags();

    @Option(
            names = "--tensor-parallel-size",
            paramLabel = "N",
            description =
                    "run the model on N ranks, each a CPU device or a GPU (by NCCL) with a share of its"
                            + " heads, MLP columns and vocabulary; all in this process, on the CPU"
                            + " or on N GPUs from --device on, or in N processes with RANK,"
                            + " WORLD_SIZE=N and RENDEZVOUS")
    int tensorParallelSize = EngineOptions.defaults().tensorParallelSize();

    @Option(names = "--isa", paramLabel = "NAME", description = "auto, avx512, avx2 or scalar")
    String isa = EngineOptions.defaults().isa();

    @Option(
            names = "--activations",
            paramLabel = "TYPE",
            description = "bf16, or f32: as exact as the reference")
    Activations activations = Activations.BF16;

    @Option(
            names = "--dummy-weights",
            paramLabel = "CONFIG.json",
            description = "random weights in the shape of this config; no MODEL is read")
    @Nullable Path dummyWeights;

    @Option(
            names = "--speculative-config",
            paramLabel = "JSON",
            description =
                    "who drafts tokens ahead, as vLLM says it: {\"method\": \"ngram\","
                            + " \"num_speculative_tokens\": 4}; methods: ngram, suffix, mtp (the"
                            + " model's own layer), and draft_model and eagle3, these two with"
                            + " \"model\": a folder, demo-draft or demo-eagle3; the last three"
                            + " draft trees with \"tree_size\" (and \"tree_top_k\"), or with"
                            + " \"speculative_token_tree\": \"[(0,), (1,), (0, 0)]\"")
    String speculativeConfig = "";

    @Option(
            names = "--deterministic",
            arity = "0..1",
            fallbackValue = "true",
            paramLabel = "true|false",
            description = "tokens do not depend on what shares the batch")
    boolean isDeterministic = EngineOptions.defaults().deterministic();

    @Option(names = "--verbose", description = "stack traces of failures")
    boolean verbose;

    EngineOptions options() {
        return ofOneRank()
                .gang(gangFlags.options(System.getenv(), tensorParallelSize))
                .tensorParallelSize(tensorParallelSize);
    }

    /** For what compares ways to split a model and chooses itself. */
    void requireNoSplit() {
        int experts = gangFlags.expertParallelSize;
        if (tensorParallelSize != 1 || experts != 0) {
            throw new IllegalArgumentException(
                    "plan --disaggregate compares with both itself: tensor-parallel-size=%d"
                                    .formatted(tensorParallelSize)
                            + " expert-parallel-size="
                            + experts);
        }
    }

    /** The same without the other ranks that share the model. */
    EngineOptions ofOneRank() {
        return EngineOptions.defaults()
                .device(device)
                .expertDevice(expertDevice)
                .expertCache(offloadBytes("expert-cache-gb", expertCacheGb), expertLoads)
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
                .maxWaiting(maxWaiting)
                .maxWaitingTokens(maxWaitingTokens)
                .stepTimeoutMs((long) Math.ceil(stepTimeoutS * 1e3))
                .kvCacheBytes(kvCacheMemory == null ? 0 : bytes(kvCacheMemory))
                .memoryUtilization(memoryUtilization)
                .prefixCaching(prefixCaching)
                .kvOffloadBytes(offloadBytes("kv-offload-gb", kvOffloadGb))
                .kvOffloadDisk(offloadBytes("kv-offload-disk-gb", kvOffloadDiskGb), kvOffloadDir)
                .schedulingPolicy(schedulingPolicy)
                .tenantWeights(tenantWeights)
                .dummyWeights(dummyWeights != null)
                .deterministic(isDeterministic)
                .speculation(speculation())
                .revision(revision);
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

    private static long offloadBytes(String flag, double gb) {
        double bytes = gb * (1 << 30);
        if (!(bytes >= 0 && bytes < Long.MAX_VALUE)) {
            throw new IllegalArgumentException(
                    flag + " must be a size that is not negative: " + flag + "=" + gb);
        }
        return (long) bytes;
    }

    /** {@code 1024}, {@code 512M}, {@code 1.5G}: powers of 1024. */
    static long bytes(String text) {
        String upper = text.toUpperCase(Locale.ROOT).replaceFirst("I?B$", "");
        int unit = upper.isEmpty() ? -1 : "KMGT".indexOf(upper.charAt(upper.length() - 1));
        String digits = unit < 0 ? upper : upper.substring(0, upper.length() - 1);
        try {
            double value = Double.parseDouble(digits) * (1L << (10 * (unit + 1)));
            if (value > 0 && value < Long.MAX_VALUE) {
                return (long) value;
            }
        } catch (NumberFormatException e) {
            // told below, in words that name the flag
        }
        throw new IllegalArgumentException(
                "kv-cache-memory must be a size such as 512M or 4G: kv-cache-memory=" + text);
    }

    Engine open(@Nullable Path model) throws IOException {
        return Engine.open(folder(model), options());
    }

    /** The names that answers carry; empty: the model's own. */
    List<String> names(@Nullable Path model) {
        if (dummyWeights != null) {
            return List.of("dummy");
        }
        if (model == null) {
            return List.of(DemoModel.NAME);
        }
        return DemoModel.isBundled(model) ? List.of(model.toString()) : List.of();
    }

    /**
     * What to load: the named one, which is bundled or the engine looks for, one for dummy weights,
     * or the demo model's.
     */
    Path folder(@Nullable Path model) throws IOException {
        if (dummyWeights != null) {
            return dummyFolder(dummyWeights, model);
        }
        if (model == null) {
            return DemoModel.unpack(cache().resolve("demo-model-" + Version.text()));
        }
        return named(model);
    }

    /** A bundled model by its name, unless something of that name is there. */
    private static Path named(Path model) throws IOException {
        return DemoModel.find(model, name -> cache().resolve(name + "-" + Version.text()));
    }

    /** Text files beside the config, or of MODEL, come along, so that text can go in and out. */
    private static Path dummyFolder(Path config, @Nullable Path model) throws IOException {
        if (!Files.isRegularFile(config)) {
            throw new IOException("--dummy-weights must name a config.json: " + config);
        }
        Path folder = Files.createTempDirectory("cortado-dummy-");
        Files.copy(config, folder.resolve("config.json"), StandardCopyOption.REPLACE_EXISTING);
        Path texts = model != null ? model : config.resolveSibling("");
        for (String name : TEXT_FILES) {
            Path file = texts.resolve(name);
            if (Files.isRegularFile(file)) {
                Files.copy(file, folder.resolve(name));
            }
        }
        Runtime.getRuntime().addShutdownHook(new Thread(() -> delete(folder)));
        return folder;
    }

    private static void delete(Path folder) {
        try (var files = Files.newDirectoryStream(folder)) {
            for (Path file : files) {
                Files.delete(file);
            }
            Files.delete(folder);
        } catch (IOException e) {
            System.err.println("left behind: " + folder);
        }
    }

    static Path cache() {
        String xdg = System.getenv("XDG_CACHE_HOME");
        Path base =
                xdg == null || xdg.isBlank()
                        ? Path.of(System.getProperty("user.home"), ".cache")
                        : Path.of(xdg);
        return base.resolve("cortado");
    }
}
