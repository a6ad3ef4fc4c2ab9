package io.cortado.engine;

import io.cortado.api.EngineException;
import io.cortado.api.EngineOptions;
import io.cortado.device.Device;
import io.cortado.device.HotExperts;
import io.cortado.device.Placement;
import io.cortado.model.ModelConfig;
import io.cortado.moe.ExpertLink;
import java.nio.file.Path;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * The devices that an engine's options name, open; the last owner closes them.
 *
 * @param gang that has the experts; null: they are on the devices
 */
record OpenDevices(Placement placement, @Nullable ExpertGang gang) implements AutoCloseable {
    /**
     * @param model folder or GGUF file
     * @param connector to the other ranks, where the options name any
     * @throws EngineException INVALID_REQUEST if experts are to be where the model has none, or if
     *     their loads are not of this model
     */
    static OpenDevices open(
            EngineOptions options, Path model, ModelConfig config, GangConnector connector) {
        return open(options, options.threads(), model, config, connector);
    }

    /** The same with so many threads on the CPU. */
    static OpenDevices open(
            EngineOptions options,
            int threads,
            Path model,
            ModelConfig config,
            GangConnector connector) {
        if (options.gang().spreadsExperts()) {
            return withGang(options, model, config, connector);
        }
        boolean isSplit = !options.expertDevice().isEmpty();
        if (!isSplit) {
            Device device = Device.open(options.device(), threads, options.isa());
            return new OpenDevices(Placement.on(device), null);
        }
        if (!config.hasExperts()) {
            throw EngineException.invalid(
                    "expert-device",
                    "expert-device is for models with experts, and %s has none: expert-device=%s"
                            .formatted(config.architecture(), options.expertDevice()));
        }
        Device device = Device.open(options.device(), options.threads(), "auto");
        boolean isOpen = false;
        try {
            HotExperts hot = HotExpertChoice.of(options, device, model, config);
            Device cpu = Device.open(options.expertDevice(), options.threads(), options.isa());
            isOpen = true;
            return new OpenDevices(Placement.split(device, cpu).hot(hot), null);
        } finally {
            if (!isOpen) {
                device.close();
            }
        }
    }

    private static OpenDevices withGang(
            EngineOptions options, Path model, ModelConfig config, GangConnector connector) {
        Device device = Device.open(options.device(), options.threads(), options.isa());
        boolean isOpen = false;
        try {
            ExpertGang gang = ExpertGang.open(options, model, config, connector, device);
            isOpen = true;
            return new OpenDevices(Placement.withoutExperts(device), gang);
        } finally {
            if (!isOpen) {
                device.close();
            }
        }
    }

    /** To the ranks that have the experts; null: they are here. */
    @Nullable ExpertLink link() {
        return gang == null ? null : gang.link();
    }

    Device device() {
        return placement.device();
    }

    private @Nullable Device expertDevice() {
        return placement.expertDevice();
    }

    /** All of both in words. */
    String describe() {
        Device experts = expertDevice();
        String all = device().info().describe();
        if (gang != null) {
            return all + "; " + gang.describe();
        }
        if (experts == null) {
            return all;
        }
        String others = "; experts on " + experts.info().describe();
        HotExperts hot = placement.hot();
        return hot.ids().isEmpty()
                ? all + others
                : String.format(
                        Locale.ROOT,
                        "%s; %d experts, chosen %.0f%% of the time, and other%s",
                        all,
                        hot.ids().size(),
                        100 * hot.share(),
                        others.substring(1));
    }

    @Override
    public void close() {
        try (Device _ = device();
                Device _ = expertDevice();
                ExpertGang _ = gang) {
            // closed in the reverse order, all of them
        }
    }
}
