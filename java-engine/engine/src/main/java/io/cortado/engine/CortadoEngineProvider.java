package io.cortado.engine;

import io.cortado.api.DeviceStatus;
import io.cortado.api.EmbeddingInfo;
import io.cortado.api.Engine;
import io.cortado.api.EngineException;
import io.cortado.api.EngineOptions;
import io.cortado.api.EngineProvider;
import io.cortado.api.ModelInfo;
import io.cortado.api.Penalties;
import io.cortado.api.SamplingParams;
import io.cortado.device.Device;
import io.cortado.device.NativeException;
import io.cortado.device.Status;
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
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/** Loads a folder: configuration and text first, which fail fast, then weights, then the cache. */
public final class CortadoEngineProvider implements EngineProvider {
    private static final int FREE_MEMORY_PART = 4;
    private static final List<String> DEVICES = List.of("cpu", "cuda:0", "simt:0");

    /** For {@link java.util.ServiceLoader}. */
    public CortadoEngineProvider() {}

    @Override
    public Engine open(Path folder, EngineOptions options) {
        return open(folder, options, _ -> {}, executor -> executor, TierRates.Rule.MEASURED);
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
        return open(named, options, onOpen, wrap, TierRates.Rule.ALWAYS);
    }

    private static Engine open(
            Path named,
            EngineOptions options,
            Consumer<Device> onOpen,
            UnaryOperator<Executor> wrap,
            TierRates.Rule rule) {
        try {
            Path folder = ModelFolder.locate(named, options.revision(), System::getenv);
            if (!Files.isRegularFile(folder)) {
                FolderCheck.require(folder, !options.dummyWeights());
            }
            ModelConfig config = ModelConfig.read(folder);
            int maxModelLen = maxModelLen(config, options);
            Texts texts = Texts.open(folder);
            return load(folder, options, config, maxModelLen, texts, onOpen, wrap, rule);
        } catch (ModelException e) {
            throw new EngineException(
                    e.kind() == ModelException.Kind.INVALID
                            ? EngineException.Code.INVALID_MODEL
                            : EngineException.Code.UNSUPPORTED_MODEL,
                    String.valueOf(e.getMessage()),
                    null,
                    e);
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
            TierRates.Rule rule) {
        Activations activations =
                switch (options.activations()) {
                    case BF16 -> Activations.BF16;
                    case F32 -> Activations.F32;
                };
        Device device = Device.open(options.device(), options.threads(), options.isa());
        CausalLm model = null;
        Executor executor = null;
        try {
            onOpen.accept(device);
            model =
                    CausalLm.load(
                            device,
                            folder,
                            config,
                            activations,
                            KvType.valueOf(options.kvCacheDtype().name()),
                            options.dummyWeights());
            int blocksPerSeq = BlockPool.blocksFor(maxModelLen);
            int numBlocks = numBlocks(model, device, options, blocksPerSeq);
            Limits limits =
                    Limits.of(options.maxNumSeqs(), options.maxNumBatchedTokens(), numBlocks)
                            .otherAnglesAbove(config.otherAnglesAbove())
                            .statesOf(config.vocabSize())
                            .itlTarget(options);
            model.allocate(
                    numBlocks,
                    limits.maxNumSeqs(),
                    limits.maxNumBatchedTokens(),
                    blocksPerSeq,
                    limits.maxRows(),
                    options.deterministic());
            EmbeddingInfo embedding =
                    EmbeddingFiles.read(
                            folder,
                            config,
                            (int) Math.min(maxModelLen, (long) numBlocks * BlockPool.BLOCK_TOKENS));
            ModelInfo info = info(folder, config, maxModelLen, texts, embedding, model, device);
            int hostBlocks = hostBlocks(model, options);
            ModelExecutor onDevice =
                    new ModelExecutor(
                            device,
                            model,
                            limits,
                            texts.vocabSize(config.vocabSize()),
                            blocksPerSeq,
                            numBlocks,
                            hostBlocks,
                            rule);
            executor = wrap.apply(onDevice);
            KvCache cache = new KvCache(numBlocks, onDevice.hostBlocks());
            return new CortadoEngine(info, texts, executor, cache, limits, options);
        } catch (RuntimeException | Error e) {
            if (executor != null) {
                closeAfter(e, executor);
            } else {
                closeAfter(e, model);
                closeAfter(e, device);
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

    /** The asked-for bytes; else what all sequences need at most, within a part of what is free. */
    private static int numBlocks(
            CausalLm model, Device device, EngineOptions options, int blocksPerSeq) {
        long perBlock = model.kvBytesPerBlock();
        long wanted = (long) options.maxNumSeqs() * blocksPerSeq;
        long free = device.info().freeMemoryBytes();
        long affordable = free / FREE_MEMORY_PART / perBlock;
        long blocks =
                options.kvCacheBytes() > 0
                        ? options.kvCacheBytes() / perBlock
                        : Math.min(wanted, affordable);
        if (blocks < 1 || blocks * perBlock > free) {
            throw EngineException.invalid(
                    "kv-cache-memory",
                    "the KV cache must hold at least one block and fit into the free memory:"
                            + " kv-cache-memory="
                            + options.kvCacheBytes()
                            + " block="
                            + perBlock
                            + " free="
                            + free);
        }
        return (int) Math.min(Integer.MAX_VALUE / BlockPool.BLOCK_TOKENS, blocks);
    }

    private static int hostBlocks(CausalLm model, EngineOptions options) {
        long blocks = options.kvOffloadBytes() / model.kvBytesPerBlock();
        if (options.kvOffloadBytes() > 0 && blocks == 0) {
            throw EngineException.invalid(
                    "kv-offload-gb",
                    "kv-offload-gb must hold at least one block: bytes=%d block=%d"
                            .formatted(options.kvOffloadBytes(), model.kvBytesPerBlock()));
        }
        return (int) Math.min(Integer.MAX_VALUE / BlockPool.BLOCK_TOKENS, blocks);
    }

    private static ModelInfo info(
            Path folder,
            ModelConfig config,
            int maxModelLen,
            Texts texts,
            EmbeddingInfo embedding,
            CausalLm model,
            Device device) {
        return new ModelInfo(
                ModelFolder.nameOf(folder),
                config.architecture(),
                maxModelLen,
                config.vocabSize(),
                config.endTokenIds(),
                texts.tokenizer() != null,
                texts.hasChatTemplate(),
                defaults(config.generation()),
                embedding,
                model.numParameters(),
                device.info().describe());
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
