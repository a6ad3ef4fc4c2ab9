package io.cortado.device;

import org.jspecify.annotations.Nullable;

/**
 * The devices that a model runs on.
 *
 * @param expertDevice the CPU, for the experts alone; null: they are on the device like all else
 * @param hot experts that are on the device all the same; none without an expert device
 * @param holdsExperts false: experts are on other ranks, and nothing of them is here
 */
public record Placement(
        Device device, @Nullable Device expertDevice, HotExperts hot, boolean holdsExperts) {
    public static Placement on(Device device) {
        return new Placement(device, null, HotExperts.NONE, true);
    }

    public static Placement split(Device device, Device expertDevice) {
        return new Placement(device, expertDevice, HotExperts.NONE, true);
    }

    public Placement hot(HotExperts experts) {
        return new Placement(device, expertDevice, experts, holdsExperts);
    }

    /** All but the experts, which other ranks compute. */
    public static Placement withoutExperts(Device device) {
        return new Placement(device, null, HotExperts.NONE, false);
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
