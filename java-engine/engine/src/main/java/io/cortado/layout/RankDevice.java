package io.cortado.layout;

/**
 * What the device of a rank reaches, and what joins it to others, in units a second.
 *
 * @param flops multiplications and additions of its matrix units
 * @param fp8Flops the same of 8-bit operands
 * @param memoryRate bytes read from its memory
 * @param memoryBytes that weights and keys and values may take
 * @param linkRate bytes sent to devices of the same node
 * @param netRate bytes sent to other nodes
 * @param linkSeconds that an exchange within a node takes at least
 * @param netSeconds that one between nodes does
 * @param perNode devices of a node
 */
public record RankDevice(
        double flops,
        double fp8Flops,
        double memoryRate,
        double memoryBytes,
        double linkRate,
        double netRate,
        double linkSeconds,
        double netSeconds,
        int perNode) {
    /**
     * 60% of an H100 SXM's dense peaks, 80% of its memory's rate, 70% of NVLink and 85% of 400 Gb/s
     * by its data sheet; 90% of its 80 GB; the least times of exchanges are assumed.
     */
    public static final RankDevice H100 =
            new RankDevice(
                    0.6 * 989e12,
                    0.6 * 1979e12,
                    0.8 * 3.35e12,
                    0.9 * 80e9,
                    0.7 * 450e9,
                    0.85 * 50e9,
                    15e-6,
                    30e-6,
                    8);

    /** The same where a rank sends so many bytes a second to any other. */
    public RankDevice linkRate(double bytesPerSecond) {
        return new RankDevice(
                flops,
                fp8Flops,
                memoryRate,
                memoryBytes,
                bytesPerSecond,
                bytesPerSecond,
                linkSeconds,
                netSeconds,
                perNode);
    }

    /** The same where every exchange takes so long at least. */
    public RankDevice linkSeconds(double seconds) {
        return new RankDevice(
                flops,
                fp8Flops,
                memoryRate,
                memoryBytes,
                linkRate,
                netRate,
                seconds,
                seconds,
                perNode);
    }

    /** The longer of reading and computing. */
    double seconds(double bytes, double operations, boolean isFp8) {
        return Math.max(bytes / memoryRate, operations / (isFp8 ? fp8Flops : flops));
    }

    /** Of an exchange among so many devices in which each sends so many bytes. */
    double exchange(int devices, double bytes) {
        return devices <= perNode ? linkSeconds + bytes / linkRate : netSeconds + bytes / netRate;
    }

    /** Of sums over all devices, in a ring. */
    double allReduce(int devices, double bytes) {
        return devices == 1 ? 0 : exchange(devices, 2 * bytes * (devices - 1) / devices);
    }
}
