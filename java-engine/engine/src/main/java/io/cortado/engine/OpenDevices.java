package io.cortado.engine;

import io.cortado.api.EngineException;
import io.cortado.api.EngineOptions;
import io.cortado.device.Device;
import io.cortado.device.Placement;
import io.cortado.model.ModelConfig;
import org.jspecify.annotations.Nullable;

/** The devices that an engine's options name, open; the last owner closes them. */
record OpenDevices(Placement placement) implements AutoCloseable {
    /**
     * @throws EngineException INVALID_REQUEST if experts are to be where the model has none
     */
    static OpenDevices open(EngineOptions options, ModelConfig config) {
        boolean isSplit = !options.expertDevice().isEmpty();
        if (!isSplit) {
            Device device = Device.open(options.device(), options.threads(), options.isa());
            return new OpenDevices(Placement.on(device));
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
            Device cpu = Device.open(options.expertDevice(), options.threads(), options.isa());
            isOpen = true;
            return new OpenDevices(new Placement(device, cpu));
        } finally {
            if (!isOpen) {
                device.close();
            }
        }
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
        return experts == null ? all : all + "; experts on " + experts.info().describe();
    }

    @Override
    public void close() {
        Device experts = expertDevice();
        try {
            if (experts != null) {
                experts.close();
            }
        } finally {
            device().close();
        }
    }
}
