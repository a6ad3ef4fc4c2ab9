package io.cortado.engine;

import io.cortado.api.DeviceRates;
import io.cortado.api.EngineException;
import io.cortado.api.EngineException.Code;
import io.cortado.api.EngineOptions;
import io.cortado.api.EnginePlan;
import io.cortado.api.PlanLoad;
import io.cortado.device.DType;
import io.cortado.device.Device;
import io.cortado.device.DeviceInfo;
import io.cortado.device.Probe;
import io.cortado.device.Rate;
import io.cortado.device.WeightFormat;
import io.cortado.kv.BlockPool;
import io.cortado.model.ModelConfig;
import io.cortado.model.ModelFolder;
import io.cortado.model.StepCost;
import io.cortado.model.WeightPlan;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.SequencedMap;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** Tells what an engine would take and how fast it would be; nothing of the model is loaded. */
final class Planner {
    private final OpenDevices devices;
    private final Path folder;
    private final ModelConfig config;
    private final int maxModelLen;
    private final EngineOptions options;
    private final PlanLoad load;

    Planner(
            OpenDevices devices,
            Path folder,
            ModelConfig config,
            int maxModelLen,
            EngineOptions options,
            PlanLoad load) {
        this.devices = devices;
        this.folder = folder;
        this.config = config;
        this.maxModelLen = maxModelLen;
        this.options = options;
        this.load = load;
    }

    /**
     * @param rates opened where there is something to predict
     */
    EnginePlan plan(Function<Device, RateBook> rates) {
        Device device = devices.device();
        WeightPlan weights =
                WeightPlan.read(
                        devices.placement(),
                        folder,
                        config,
                        MemoryPlan.activations(options),
                        options.dummyWeights());
        MemoryPlan memory =
                MemoryPlan.of(devices.placement(), config, weights, options, maxModelLen);
        DeviceInfo info = device.info();
        MemoryPlan.KvSize size = new MemoryPlan.KvSize(0, "", false);
        EnginePlan.@Nullable Refusal refusal = null;
        try {
            size = memory.beforeLoading(info.freeMemoryBytes());
            requireLoad(size.blocks());
        } catch (EngineException e) {
            refusal =
                    new EnginePlan.Refusal(
                            e.code(), String.valueOf(e.getMessage()), "--" + e.param());
        }
        EnginePlan.Prediction prediction = null;
        DeviceRates known = null;
        if (refusal == null && isTimed(device)) {
            RateBook book = rates.apply(device);
            Device cpu = devices.placement().expertDevice();
            RateBook ofExperts = cpu == null ? book : rates.apply(cpu);
            prediction = predict(weights, size.blocks(), book, ofExperts);
            ofExperts.save();
            known = book.summary();
            book.save();
        }
        return new EnginePlan(
                ModelFolder.nameOf(folder),
                config.architecture(),
                devices.describe(),
                config.numParameters(),
                maxModelLen,
                load,
                memory(memory, weights, size, info),
                refusal,
                prediction,
                known);
    }

    /** Emulated kernels have no speed that means anything. */
    static boolean isTimed(Device device) {
        return !device.info().name().startsWith("simt");
    }

    /** Measures what every dense model's prediction needs, but for the attention of its heads. */
    static DeviceRates measure(Device device, boolean again) {
        if (!isTimed(device)) {
            throw EngineException.invalid(
                    "device",
                    "a device that computes for tests has no rates: device="
                            + device.info().name());
        }
        RateBook book = RateBook.open(device, again);
        for (Probe probe : Probe.values()) {
            book.curve(new Rate.Peak(probe));
        }
        for (Rate.RowOperation operation : Rate.RowOperation.values()) {
            book.curve(new Rate.Rows(operation, DType.BF16));
        }
        book.curve(new Rate.Linear(WeightFormat.BF16, DType.BF16));
        book.curve(new Rate.Draw());
        DeviceRates summary = book.summary();
        book.save();
        return summary;
    }

    private void requireLoad(int blocks) {
        int length = load.promptTokens() + load.outputTokens();
        if (length > maxModelLen) {
            throw new EngineException(
                    Code.CONTEXT_LENGTH_EXCEEDED,
                    ("%s: %d tokens of prompt and %d of output are more than the %d of the longest"
                                    + " sequence: raise --max-model-len (the model's own is %d) or"
                                    + " lower --prompt-tokens or --output-tokens")
                            .formatted(
                                    Code.CONTEXT_LENGTH_EXCEEDED,
                                    load.promptTokens(),
                                    load.outputTokens(),
                                    maxModelLen,
                                    config.maxPositions()),
                    maxModelLen < config.maxPositions() ? "max-model-len" : "prompt-tokens");
        }
        int needed = BlockPool.blocksFor(length - 1); // the last one drawn is not computed
        if (needed > blocks) {
            throw new EngineException(
                    Code.KV_DOES_NOT_FIT,
                    ("%s: a request of %d tokens needs %d blocks of KV cache, which has %d: raise"
                                    + " --kv-cache-memory or --gpu-memory-utilization, or lower"
                                    + " --prompt-tokens or --output-tokens")
                            .formatted(Code.KV_DOES_NOT_FIT, length, needed, blocks),
                    "kv-cache-memory");
        }
    }

    private EnginePlan.Memory memory(
            MemoryPlan plan, WeightPlan weights, MemoryPlan.KvSize size, DeviceInfo info) {
        SequencedMap<String, Long> formats = new LinkedHashMap<>();
        for (Map.Entry<WeightFormat, Long> entry : weights.bytesByFormat().entrySet()) {
            formats.put(entry.getKey().name().toLowerCase(Locale.ROOT), entry.getValue());
        }
        int perRequest = BlockPool.blocksFor(load.promptTokens() + load.outputTokens() - 1);
        return new EnginePlan.Memory(
                info.totalMemoryBytes(),
                info.freeMemoryBytes(),
                formats,
                plan.weightBytes(),
                plan.workspaceBytes(),
                onHost(plan.experts()),
                plan.blockBytes() / BlockPool.BLOCK_TOKENS,
                size.blocks() * plan.blockBytes(),
                (long) size.blocks() * BlockPool.BLOCK_TOKENS,
                size.blocks() / perRequest,
                size.blocks() / plan.blocksPerSeq(),
                size.why());
    }

    private static EnginePlan.@Nullable OnHost onHost(MemoryPlan.@Nullable ExpertMemory experts) {
        return experts == null
                ? null
                : new EnginePlan.OnHost(
                        experts.weightBytes(), experts.workspaceBytes(), experts.free());
    }

    private EnginePlan.Prediction predict(
            WeightPlan weights, int blocks, RateBook book, RateBook ofExperts) {
        StepCost cost =
                new StepCost(
                        config,
                        weights,
                        MemoryPlan.activations(options),
                        MemoryPlan.kvType(options),
                        book::curve,
                        book == ofExperts ? null : ofExperts::curve,
                        devices.placement().hot().share());
        Limits limits = Limits.of(options, config, blocks);
        PlannedRun run = PlannedRun.of(options, limits, blocks, cost, load);
        long tokens = (long) load.concurrency() * load.outputTokens();
        return new EnginePlan.Prediction(
                run.meanTtftSeconds() * 1e3,
                run.lastTtftSeconds() * 1e3,
                run.meanTpotSeconds() * 1e3,
                run.seconds() * 1e3,
                tokens / run.seconds(),
                run.mostSeqs(),
                run.preemptions(),
                millis(run.firstStep()),
                millis(run.decodeStep()),
                new EnginePlan.Roofline(
                        run.decodeFloorSeconds() * 1e3, run.prefillFloorSeconds() * 1e3));
    }

    private static SequencedMap<String, Double> millis(Map<StepCost.Operator, Double> seconds) {
        SequencedMap<String, Double> all = new LinkedHashMap<>();
        seconds.forEach(
                (operator, time) -> all.put(operator.name().toLowerCase(Locale.ROOT), time * 1e3));
        return all;
    }
}
