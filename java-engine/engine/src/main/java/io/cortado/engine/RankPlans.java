package io.cortado.engine;

import io.cortado.api.ByteSize;
import io.cortado.api.DeviceRates;
import io.cortado.api.EngineException;
import io.cortado.api.EngineOptions;
import io.cortado.api.RankLoad;
import io.cortado.api.RankPlan;
import io.cortado.device.Device;
import io.cortado.layout.RankDevice;
import io.cortado.model.Activations;
import io.cortado.model.ModelConfig;
import io.cortado.model.ModelFolder;
import io.cortado.model.ModelLayout;
import io.cortado.model.WeightPlan;
import java.nio.file.Path;

/** Plans of ranks for the model and the device that options name. */
final class RankPlans {
    private static final double LOCAL_LINK_BYTES = 4e9;
    private static final double LOCAL_LINK_SECONDS = 20e-6;

    private record Rank(RankDevice device, String words) {}

    private RankPlans() {}

    static RankPlan of(Path folder, ModelConfig config, EngineOptions options, RankLoad load) {
        requireNoOther(options);
        if (!config.hasExperts()) {
            throw new EngineException(
                    EngineException.Code.UNSUPPORTED_MODEL,
                    "ranks of their own are for experts, and %s has none"
                            .formatted(config.architecture()),
                    "disaggregate");
        }
        int longest = load.promptTokens() + load.outputTokens();
        if (longest > config.maxPositions()) {
            throw EngineException.invalid(
                    "prompt-tokens",
                    "prompt-tokens + output-tokens must be at most the model's %d: %d"
                            .formatted(config.maxPositions(), longest));
        }
        try (OpenDevices devices = OpenDevices.open(options, folder, config, GangConnector.NONE)) {
            Activations activations = MemoryPlan.activations(options);
            WeightPlan weights =
                    WeightPlan.read(
                            devices.placement(),
                            folder,
                            config,
                            activations,
                            options.dummyWeights());
            Rank rank =
                    switch (load.hardware()) {
                        case H100 -> new Rank(RankDevice.H100, "H100 SXM, by its data sheet");
                        case LOCAL -> local(devices, options);
                    };
            return new RankPlanner(
                            rank.device,
                            ModelLayout.of(
                                    config, weights, activations, MemoryPlan.kvType(options)),
                            load)
                    .plan(ModelFolder.nameOf(folder), rank.words);
        }
    }

    private static DeviceRates rates(Device device) {
        if (!Planner.isTimed(device)) {
            throw EngineException.invalid(
                    "device",
                    "a device that computes for tests has no rates: device="
                            + device.info().name());
        }
        RateBook book = RateBook.open(device, false);
        DeviceRates rates = book.summary();
        book.save();
        return rates;
    }

    private static Rank local(OpenDevices devices, EngineOptions options) {
        DeviceRates rates = rates(devices.device());
        boolean isF32 = MemoryPlan.activations(options) == Activations.F32;
        double flops = isF32 ? rates.f32FlopsPerSecond() : rates.bf16FlopsPerSecond();
        RankDevice device =
                new RankDevice(
                        flops,
                        flops,
                        rates.readBytesPerSecond(),
                        MemoryPlan.budget(options, devices.device().info().freeMemoryBytes()),
                        LOCAL_LINK_BYTES,
                        LOCAL_LINK_BYTES,
                        LOCAL_LINK_SECONDS,
                        LOCAL_LINK_SECONDS,
                        Integer.MAX_VALUE);
        return new Rank(device, devices.describe());
    }

    /** Refuses what has no meaning for ranks of one kind. */
    private static void requireNoOther(EngineOptions options) {
        if (!options.expertDevice().isEmpty()) {
            throw EngineException.invalid(
                    "expert-device",
                    "expert-device is for one engine with two devices, and ranks are of one kind:"
                            + " expert-device="
                            + options.expertDevice());
        }
        if (options.kvCacheBytes() > 0) {
            throw EngineException.invalid(
                    "kv-cache-memory",
                    "kv-cache-memory is for one engine, and ranks have what their memory leaves:"
                            + " kv-cache-memory="
                            + ByteSize.text(options.kvCacheBytes()));
        }
    }
}
