package io.cortado.device;

/**
 * What a device is and has.
 *
 * @param name as opened: {@code cpu}
 * @param processor the processor's own name
 * @param isa instruction set in use: {@code scalar}, {@code avx2} or {@code avx512}
 * @param threads threads that compute
 * @param totalMemoryBytes memory of the device
 * @param freeMemoryBytes what is free of it now
 */
public record DeviceInfo(
        String name,
        String processor,
        String isa,
        int threads,
        long totalMemoryBytes,
        long freeMemoryBytes) {}
