package io.cortado.device;

/**
 * What a device is and has.
 *
 * @param name as opened: {@code cpu}, {@code cuda:0}
 * @param processor the processor's own name
 * @param isa instruction set in use: {@code scalar}, {@code avx2} or {@code avx512}
 * @param threads threads that compute
 * @param totalMemoryBytes memory of the device
 * @param freeMemoryBytes what is free of it now
 * @param computeCapability of a GPU, 90 for sm_90; 0: the CPU
 * @param numSms multiprocessors of a GPU; 0: the CPU
 */
public record DeviceInfo(
        String name,
        String processor,
        String isa,
        int threads,
        long totalMemoryBytes,
        long freeMemoryBytes,
        int computeCapability,
        int numSms) {

    /** The name and what sets its speed: {@code cpu avx512}, {@code cuda:0 NVIDIA H200}. */
    public String describe() {
        return name + " " + (computeCapability == 0 ? isa : processor);
    }
}
