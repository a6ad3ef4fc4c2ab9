package io.cortado.api;

import java.util.Locale;
import java.util.Map;

/** What {@link EngineOptions} refuse: values out of range, and options that need one another. */
final class OptionRules {
    private static final int MAX_TENANT_WEIGHTS = 10_000;
    private static final int MAX_RANKS = 64;

    private OptionRules() {}

    static void requireExpertDevice(String device, String expertDevice) {
        if (expertDevice.isEmpty()) {
            return;
        }
        if (!expertDevice.equals("cpu")) {
            throw EngineException.invalid(
                    "expert-device", "expert-device must be cpu: expert-device=" + expertDevice);
        }
        if (device.equals("cpu")) {
            throw EngineException.invalid(
                    "expert-device",
                    "expert-device=cpu needs another device for all else: device=cpu");
        }
    }

    static void requireExpertCache(String expertDevice, long bytes, String loads) {
        if (bytes < 0) {
            throw EngineException.invalid(
                    "expert-cache-gb", "expert-cache-gb must not be negative: bytes=" + bytes);
        }
        if (bytes > 0 && expertDevice.isEmpty()) {
            throw EngineException.invalid(
                    "expert-cache-gb", "expert-cache-gb needs expert-device=cpu: bytes=" + bytes);
        }
        if ((bytes > 0) == loads.isEmpty()) {
            throw EngineException.invalid(
                    "expert-loads",
                    "expert-cache-gb and expert-loads need each other: bytes=%d file=%s"
                            .formatted(bytes, loads));
        }
    }

    static void requireOffload(boolean prefixCaching, long bytes) {
        if (bytes < 0) {
            throw EngineException.invalid(
                    "kv-offload-gb", "kv-offload-gb must not be negative: bytes=" + bytes);
        }
        if (bytes > 0 && !prefixCaching) {
            throw EngineException.invalid(
                    "kv-offload-gb",
                    "kv-offload-gb needs prefix caching, which is off: bytes=" + bytes);
        }
    }

    static void requireDisk(long hostBytes, long bytes, String folder) {
        if (bytes < 0) {
            throw EngineException.invalid(
                    "kv-offload-disk-gb",
                    "kv-offload-disk-gb must not be negative: bytes=" + bytes);
        }
        if (bytes > 0 && hostBytes == 0) {
            throw EngineException.invalid(
                    "kv-offload-disk-gb",
                    "kv-offload-disk-gb needs kv-offload-gb, the tier before it: bytes=" + bytes);
        }
        if ((bytes > 0) == folder.isEmpty()) {
            throw EngineException.invalid(
                    "kv-offload-dir",
                    "kv-offload-disk-gb and kv-offload-dir need each other: bytes=%d dir=%s"
                            .formatted(bytes, folder));
        }
    }

    static void requireRanks(
            int size,
            GangOptions gang,
            String expertDevice,
            long offloadBytes,
            Speculation drafts) {
        requireRange("tensor-parallel-size", size, 1, MAX_RANKS);
        if (!gang.spreadsExperts() && gang.worldSize() != 1 && gang.worldSize() != size) {
            throw EngineException.invalid(
                    "WORLD_SIZE",
                    "WORLD_SIZE must be the number of ranks, %d, or 1 with all of them in one process: WORLD_SIZE=%d"
                            .formatted(size, gang.worldSize()));
        }
        if (size == 1) {
            return;
        }
        String other =
                switch (drafts.method()) {
                    case OFF, NGRAM, SUFFIX -> "";
                    case DRAFT_MODEL, EAGLE3, MTP ->
                            "speculation without a draft model or head: method="
                                    + drafts.method().name().toLowerCase(Locale.ROOT);
                };
        if (gang.spreadsExperts()) {
            other = "no experts on several ranks: ranks with experts=" + gang.numExperts();
        } else if (!expertDevice.isEmpty()) {
            other = "no expert-device: expert-device=" + expertDevice;
        } else if (offloadBytes > 0) {
            other = "no kv-offload-gb: bytes=" + offloadBytes;
        }
        if (!other.isEmpty()) {
            throw EngineException.invalid(
                    "tensor-parallel-size",
                    "tensor-parallel-size=%d needs %s".formatted(size, other));
        }
    }

    static void requireWeights(EngineOptions.SchedulingPolicy policy, Map<String, Double> weights) {
        if (!weights.isEmpty() && policy != EngineOptions.SchedulingPolicy.FAIR) {
            throw EngineException.invalid(
                    "tenant-weights",
                    "tenant-weights need scheduling-policy fair: scheduling-policy="
                            + policy.name().toLowerCase(Locale.ROOT));
        }
        if (weights.size() > MAX_TENANT_WEIGHTS) {
            throw EngineException.invalid(
                    "tenant-weights",
                    "tenant-weights must name at most %d tenants: %d"
                            .formatted(MAX_TENANT_WEIGHTS, weights.size()));
        }
        weights.forEach((tenant, weight) -> {
            if (!(weight >= 1e-6 && weight <= 1e6)) {
                throw EngineException.invalid(
                        "tenant-weights",
                        "tenant-weights must be in [1e-6, 1e6]: " + tenant + "=" + weight);
            }
        });
    }

    static void requireRange(String name, long value, long low, long high) {
        if (value < low || value > high) {
            throw EngineException.invalid(
                    name, name + " must be in [" + low + ", " + high + "]: " + name + "=" + value);
        }
    }
}
