package io.cortado.device;

import org.jspecify.annotations.Nullable;

/**
 * The devices that a model runs on.
 *
 * @param expertDevice the CPU, for the experts alone; null: they are on the device like all else
 * @param hot experts that are on the device all the same; none without an expert device
 */
public record Placement(Device device, @Nullable Device expertDevice, HotExperts hot) {
    public static Placement on(Device device) {
        return new Placement(device, null, HotExperts.NONE);
    }

    public static Placement split(Device device, Device expertDevice) {
        return new Placement(device, expertDevice, HotExperts.NONE);
    }

    public Placement hot(HotExperts experts) {
        return new Placement(device, expertDevice, experts);
    }

    /** True if the expert is on a device of its own. */
    public boolean isApart(ExpertId expert) {
        return expertDevice != null && !hot.ids().contains(expert);
    }

    /** Where experts are that are not hot. */
    public Device ofExperts() {
        return expertDevice == null ? device : expertDevice;
    }

    /** Where the expert is. */
    public Device of(ExpertId expert) {
        return hot.ids().contains(expert) ? device : ofExperts();
    }
}
