package io.cortado.api;

/**
 * Whether a device can serve on this machine.
 *
 * @param name as {@link EngineOptions#device} takes it
 * @param text what it is; where it is not available, what is missing
 */
public record DeviceStatus(String name, boolean isAvailable, String text) {}
