package io.cortado.engine;

import static java.lang.System.Logger.Level.DEBUG;
import static java.lang.System.Logger.Level.INFO;

import io.cortado.api.DeviceRates;
import io.cortado.api.DeviceStatus;
import io.cortado.api.EmbeddingInfo;
import io.cortado.api.Engine;
import io.cortado.api.EngineException;
import io.cortado.api.EngineOptions;
import io.cortado.api.EnginePlan;
import io.cortado.api.EngineProvider;
import io.cortado.api.ModelInfo;
import io.cortado.api.Penalties;
import io.cortado.api.PlanLoad;
import io.cortado.api.RankLoad;
import io.cortado.api.RankPlan;
import io.cortado.api.SamplingParams;
import io.cortado.device.Device;
import io.cortado.device.NativeException;
import io.cortado.device.Placement;
import io.cortado.device.Status;
import io.cortado.gang.GangException;
import io.cortado.kv.BlockPool;
import io.cortado.kv.KvCache;
import io.cortado.model.Activations;
import io.cortado.model.CausalLm;
import io.cortado.model.FolderCheck;
import io.cortado.model.GenerationDefaults;
import io.cortado.model.KvType;
import io.cortado.model.ModelConfig;
import io.cortado.model.ModelException;
import io.cortado.model.ModelFolder;
import io.cortado.model.WeightPlan;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/** Loads a folder: configuration and text first, which fail fast, then weights, then the cache. */
public final class CortadoEngineProvider implements EngineProvider {
    private static final System.Logger LOG =
            System.getLogger(CortadoEngineProvider.class.getName());
    private static final List<String> DEVICES = List.of("cpu", "cuda:0", "simt:0");

    /** For {@link java.util.ServiceLoader}. */
    public CortadoEngineProvider() {}

    @Override
    public Engine open(Path folder, EngineOptions options) {
        return open(
                folder,
                options,
                _ -> {},
                executor -> executor,
                TierRates.Rule.MEASURED,
                MaskThreads.of(options),
                GangConnector.of(options));
    }

    @Override
    public List<DeviceStatus> devices() {
        return DEVICES.stream().map(CortadoEngineProvider::status).toList();
    }

    private static DeviceStatus status(String name) {
        try (Device device = Device.open(name, 0, "auto")) {
            return new DeviceStatus(name, true, device.info().describe());
        } catch (RuntimeException e) { // of the device, or of the library that is not there
            return new DeviceStatus(name, false, String.valueOf(e.getMessage()));
        }
    }

    /**
     * The same, for tests that make a device misbehave: they get the device before anything is on
     * it, and may wrap the executor. Host memory for KV blocks is used without asking whether it
     * pays.
     */
    static Engine open(
            Path named,
            EngineOptions options,
            Consumer<Device> onOpen,
            UnaryOperator<Executor> wrap) {
        return open(
                named,
                options,
                onOpen,
                wrap,
                TierRates.Rule.ALWAYS,
                MaskThreads.of(options),
                GangConnector.of(options));
    }

    /** The same, for tests whose ranks are several engines of one process. */
    static Engine open(Path named, EngineOptions options, GangConnector connector) {
        return open(named, options, connector, _ -> {});
    }

    /** The same, for those that get the first rank's device as well. */
    static Engine open(
            Path named, EngineOptions options, GangConnector connector, Consumer<Device> onOpen) {
        return open(
                named,
                options,
                onOpen,
                executor -> executor,
                TierRates.Rule.ALWAYS,
                MaskThreads.of(options),
                connector);
    }

    /** The same, for tests that make masks when they please. */
    static Engine open(Path named, EngineOptions options, Consumer<Runnable> masks) {
        return open(
                named,
                options,
                _ -> {},
                executor -> executor,
                TierRates.Rule.ALWAYS,
                new MaskThreads(masks, MaskThreads.waitOf(options)),
                GangConnector.of(options));
    }

    private static Engine open(
            Path named,
            EngineOptions options,
            Consumer<Device> onOpen,
            UnaryOperator<Executor> wrap,
            TierRates.Rule rule,
            MaskThreads masks,
            GangConnector connector) {
        return told(() -> {
            Path folder = locate(named, options);
            ModelConfig config = ModelConfig.read(folder);
            int maxModelLen = maxModelLen(config, options);
            Texts texts = Texts.open(folder);
            return load(
                    folder,
                    options,
                    config,
                    maxModelLen,
                    texts,
                    onOpen,
                    wrap,
                    rule,
                    masks,
                    connector);
        });
    }

    @Override
    public EnginePlan plan(Path named, EngineOptions options, PlanLoad load) {
        return told(() -> {
            Path folder = locate(named, options);
            ModelConfig config = ModelConfig.read(folder);
            int maxModelLen = maxModelLen(config, options);
            requireOneRank(options);
            try (OpenDevices devices =
                    OpenDevices.open(options, folder, config, GangConnector.NONE)) {
                return new Planner(devices, folder, config, maxModelLen, options, load)
                        .plan(device -> RateBook.open(device, false));
            }
        });
    }

    private static void requireOneRank(EngineOptions options) {
        if (options.tensorParallelSize() > 1) {
            throw EngineException.invalid(
                    "tensor-parallel-size",
                    "plan is of one rank: tensor-parallel-size=" + options.tensorParallelSize());
        }
        if (options.gang().spreadsExperts()) {
            throw EngineException.invalid(
                    "expert-parallel-size",
                    "plan is of one rank; for experts on several there is plan --disaggregate:"
                            + " ranks with experts="
                            + options.gang().numExperts());
        }
    }

    @Override
    public void follow(Path named, EngineOptions options) {
        if (options.gang().serves()) {
            throw EngineException.invalid(
                    "RANK", "a rank that serves does not follow: RANK=" + options.gang().rank());
        }
        follow(named, options, GangConnector.of(options));
    }

    /** The same, for tests whose ranks are all in one process. */
    static void follow(Path named, EngineOptions options, GangConnector connector) {
        told(() -> {
            Path folder = locate(named, options);
            ModelConfig config = ModelConfig.read(folder);
            if (options.tensorParallelSize() > 1) {
                RankGroup.follow(folder, options, config, maxModelLen(config, options), connector);
                return true;
            }
            try (ExpertGang gang = ExpertGang.open(options, folder, config, connector, null)) {
                gang.await();
            }
            return true;
        });
    }

    private static EngineException lost(GangException e) {
        return new EngineException(
                EngineException.Code.DEVICE_LOST,
                "the gang of ranks has failed: " + e.getMessage(),
                null,
                e);
    }

    @Override
    public RankPlan planRanks(Path named, EngineOptions options, RankLoad load) {
        return told(() -> {
            Path folder = locate(named, options);
            return RankPlans.of(folder, ModelConfig.read(folder), options, load);
        });
    }

    @Override
    public DeviceRates rates(EngineOptions options, boolean again) {
        return told(() -> {
            try (Device device = Device.open(options.device(), options.threads(), options.isa())) {
                return Planner.measure(device, again);
            }
        });
    }

    private static Path locate(Path named, EngineOptions options) {
        Path folder = ModelFolder.locate(named, options.revision(), System::getenv);
        if (!Files.isRegularFile(folder)) {
            FolderCheck.require(folder, !options.dummyWeights());
        }
        return folder;
    }

    /** What goes wrong in the words of the API. */
    private static <T> T told(Supplier<T> work) {
        try {
            return work.get();
        } catch (ModelException e) {
            throw new EngineException(
                    e.kind() == ModelException.Kind.INVALID
                            ? EngineException.Code.INVALID_MODEL
                            : EngineException.Code.UNSUPPORTED_MODEL,
                    String.valueOf(e.getMessage()),
                    null,
                    e);
        } catch (GangException e) {
            throw lost(e);
        } catch (NativeException | IllegalArgumentException e) {
            boolean isLost = e instanceof NativeException n && n.status() == Status.DEVICE_LOST;
            throw new EngineException(
                    isLost
                            ? EngineException.Code.DEVICE_LOST
                            : EngineException.Code.INVALID_REQUEST,
                    String.valueOf(e.getMessage()),
                    null,
                    e);
        }
    }

    private static int maxModelLen(ModelConfig config, EngineOptions options) {
        if (options.maxModelLen() > config.maxPositions()) {
            throw EngineException.invalid(
                    "max-model-len",
                    "max-model-len must be at most the model's own "
                            + config.maxPositions()
                            + ": max-model-len="
                            + options.maxModelLen());
        }
        return options.maxModelLen() == 0 ? config.maxPositions() : options.maxModelLen();
    }

    private static Engine load(
            Path folder,
            EngineOptions options,
            ModelConfig config,
            int maxModelLen,
            Texts texts,
            Consumer<Device> onOpen,
            UnaryOperator<Executor> wrap,
            TierRates.Rule rule,
            MaskThreads masks,
            GangConnector connector) {
        Drafters drafters = Drafters.of(options, folder, config);
        RankGroup ranks = RankGroup.of(options, config, connector);
        OpenDevices devices = null;
        CausalLm model = null;
        Drafter drafter = null;
        Executor executor = null;
        try {
            ModelConfig part = ranks == null ? config : config.shard(ranks.shard());
            int threads = ranks == null ? options.threads() : ranks.threadsEach();
            devices = OpenDevices.open(options, threads, folder, config, connector);
            Device device = devices.device();
            onOpen.accept(device);
            if (ranks != null) {
                ranks.open(device, config);
            }
            Activations activations = MemoryPlan.activations(options);
            KvType kvType = MemoryPlan.kvType(options);
            boolean isDummy = options.dummyWeights();
            Placement placement = devices.placement();
            WeightPlan weights = WeightPlan.read(placement, folder, part, activations, isDummy);
            MemoryPlan memory = MemoryPlan.of(placement, part, weights, options, maxModelLen);
            if (drafters != null) {
                memory = drafters.plan(device, options, maxModelLen, memory);
            }
            int share = ranks == null ? 1 : ranks.share();
            long free = device.info().freeMemoryBytes() / share;
            memory.beforeLoading(free);
            model =
                    CausalLm.load(
                            placement, folder, part, activations, kvType, isDummy, devices.link());
            if (ranks != null) {
                ranks.load(folder, maxModelLen);
            }
            MemoryPlan.KvSize size =
                    memory.afterLoading(free, device.info().freeMemoryBytes() / share);
            LOG.log(size.isAllThatIsUsed() ? DEBUG : INFO, "KV cache: {0}", size.why());
            int blocksPerSeq = memory.blocksPerSeq();
            int numBlocks = size.blocks();
            if (ranks != null) {
                numBlocks = ranks.agree(config, numBlocks);
                ranks.join(model, numBlocks);
            }
            Limits limits = Limits.of(options, config, numBlocks);
            if (drafters != null) {
                drafters.prepare(model);
            }
            model.allocate(
                    numBlocks,
                    limits.maxTables(),
                    limits.maxNumBatchedTokens(),
                    blocksPerSeq,
                    limits.maxRows(),
                    options.deterministic());
            drafter =
                    drafters == null
                            ? null
                            : drafters.load(
                                    device,
                                    model,
                                    options,
                                    limits,
                                    numBlocks,
                                    blocksPerSeq,
                                    texts.vocabSize(config.vocabSize()));
            EmbeddingInfo embedding =
                    EmbeddingFiles.read(
                            folder,
                            config,
                            (int) Math.min(maxModelLen, (long) numBlocks * BlockPool.BLOCK_TOKENS));
            ModelInfo info = info(folder, config, maxModelLen, texts, embedding, devices, options);
            ModelExecutor onDevice =
                    new ModelExecutor(
                            devices,
                            model,
                            drafter,
                            limits,
                            texts.vocabSize(config.vocabSize()),
                            blocksPerSeq,
                            numBlocks,
                            tiers(model, drafter, options, rule),
                            ranks);
            executor = wrap.apply(onDevice);
            if (ranks != null) {
                ranks.start();
            }
            KvCache cache = new KvCache(numBlocks, onDevice.hostBlocks(), onDevice.diskBlocks());
            return new CortadoEngine(info, texts, executor, cache, limits, options, masks);
        } catch (RuntimeException | Error e) {
            if (executor != null) {
                closeAfter(e, executor);
            } else {
                closeAfter(e, drafter);
                closeAfter(e, model);
                closeAfter(e, ranks);
                closeAfter(e, devices);
            }
            throw e;
        }
    }

    /** Closing what was half made must not hide why it was not made. */
    private static void closeAfter(Throwable cause, @Nullable AutoCloseable resource) {
        try {
            if (resource != null) {
                resource.close();
            }
        } catch (Exception e) {
            cause.addSuppressed(e);
        }
    }

    private static TierSizes tiers(
            CausalLm model, @Nullable Drafter drafter, EngineOptions options, TierRates.Rule rule) {
        long perBlock = model.kvBytesPerBlock() + (drafter == null ? 0 : drafter.kvBytesPerBlock());
        return new TierSizes(
                blocks("kv-offload-gb", options.kvOffloadBytes(), perBlock),
                options.kvOffloadDiskBytes() == 0 ? null : Path.of(options.kvOffloadDir()),
                blocks("kv-offload-disk-gb", options.kvOffloadDiskBytes(), perBlock),
                rule);
    }

    private static int blocks(String option, long bytes, long perBlock) {
        long blocks = bytes / perBlock;
        if (bytes > 0 && blocks == 0) {
            throw EngineException.invalid(
                    option,
                    "%s must hold at least one block: bytes=%d block=%d"
                            .formatted(option, bytes, perBlock));
        }
        return (int) Math.min(Integer.MAX_VALUE / BlockPool.BLOCK_TOKENS, blocks);
    }

    private static ModelInfo info(
            Path folder,
            ModelConfig config,
            int maxModelLen,
            Texts texts,
            EmbeddingInfo embedding,
            OpenDevices devices,
            EngineOptions options) {
        int ranks = options.tensorParallelSize();
        String device = devices.describe();
        return new ModelInfo(
                ModelFolder.nameOf(folder),
                config.architecture(),
                maxModelLen,
                config.vocabSize(),
                config.endTokenIds(),
                texts.tokenizer() != null,
                texts.hasChatTemplate(),
                texts.reasoning(),
                defaults(config.generation()),
                embedding,
                config.numParameters(),
                ranks == 1 ? device : "%d ranks, each on %s".formatted(ranks, device));
    }

    /** What {@code generation_config.json} recommends, in our ranges. */
    private static SamplingParams defaults(GenerationDefaults from) {
        SamplingParams.Builder params = SamplingParams.builder();
        if (Boolean.FALSE.equals(from.doSample())) {
            return params.temperature(0).build();
        }
        if (from.temperature() != null) {
            params.temperature((float) Math.min(2, from.temperature()));
        }
        if (from.topP() != null && from.topP() > 0) {
            params.topP(from.topP().floatValue());
        }
        if (from.topK() != null) {
            params.topK(from.topK());
        }
        if (from.minP() != null) {
            params.minP(from.minP().floatValue());
        }
        if (from.repetitionPenalty() != null && from.repetitionPenalty() > 0) {
            params.penalties(Penalties.NONE.repetition(from.repetitionPenalty().floatValue()));
        }
        return params.build();
    }
}
