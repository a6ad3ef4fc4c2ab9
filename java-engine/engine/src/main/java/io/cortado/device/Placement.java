package io.cortado.device;

import org.jspecify.annotations.Nullable;

/**
 * The devices that a model runs on.
 *
 * @param expertDevice the CPU, for the experts alone; null: they are on the device like all else
 */
public record Placement(Device device, @Nullable Device expertDevice) {
    public static Placement on(Device device) {
        return new Placement(device, null);
    }

    /** Where the experts are. */
    public Device ofExperts() {
        return expertDevice == null ? device : expertDevice;
    }
}
