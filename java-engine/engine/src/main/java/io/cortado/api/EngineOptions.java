package io.cortado.api;

import java.util.List;
import java.util.Map;

/**
 * Settings of an engine, read once at {@link Engine#open}. Zero means "choose": see each field.
 *
 * @param device {@code cpu}, {@code cuda:N}, or {@code simt:0} (the CUDA kernels executed on the
 *     CPU, for tests)
 * @param expertDevice {@code cpu}: the experts of the model are in host memory and the CPU computes
 *     them, while all else is on the device, which is another; empty: they are there too
 * @param expertCacheBytes of the device that experts may take all the same, those that were chosen
 *     most; with an expertDevice
 * @param expertLoads file that says how often they were: what {@code GET /debug/experts} of a
 *     server answered; empty without expertCacheBytes. Which experts are where does not change
 *     while the engine runs, so that its answers do not
 * @param gang ranks that share the model's experts; {@link GangOptions#NONE}: there are none
 * @param threads threads that compute; 0: one per core
 * @param isa instruction set of the CPU device: {@code auto}, {@code avx512}, {@code avx2}, {@code
 *     scalar}
 * @param activations type of activations
 * @param kvCacheDtype type of the KV cache
 * @param maxModelLen longest prompt plus output in tokens; 0: the model's own
 * @param maxNumSeqs sequences that run at once, 1 to 4096
 * @param maxNumBatchedTokens token budget of a step (prefill chunks and decodes together), 16 to
 *     65536
 * @param itlTargetMs time between tokens that running answers should keep while prompts enter:
 *     these then enter in chunks so small that a step takes no longer; 0: whatever the token budget
 *     gives. Which tokens are drawn does not depend on it
 * @param maskWaitMs how long a step waits for the mask of a constraint once all else of it is on
 *     its way: after that the others go on without it. Which tokens are drawn does not depend on it
 * @param jumpForward whether all bytes that a constraint leaves no choice about are appended at
 *     once, as the tokenizer cuts them: fewer steps, where a model might have cut them otherwise;
 *     not in requests whose draws others have a say in (biases, bans, counts, logprobs). Without it
 *     only tokens that the mask leaves alone are appended, which changes nothing
 * @param maxWaiting requests that may wait before QUEUE_FULL
 * @param maxWaitingTokens tokens of prompts that may wait before QUEUE_FULL, unless a prompt alone
 *     has more; 0: any number
 * @param stepTimeoutMs time that a step may take before the engine fails with DEVICE_LOST rather
 *     than let its callers hang, at least 100; 0: no limit
 * @param unreadTimeoutMs time that a stream's output may lie there unread while the request runs,
 *     before it is cancelled; 0: no limit
 * @param kvCacheBytes memory for KV blocks; 0: what maxNumSeqs sequences of maxModelLen need, at
 *     most what memoryUtilization leaves beside weights and workspaces
 * @param memoryUtilization part of the memory that is free on the device which the engine may take,
 *     in (0, 1]; 0: 0.9, and on the CPU, whose memory others need too, half of what that leaves for
 *     the KV cache. kvCacheBytes goes before it
 * @param prefixCaching keys and values of ended requests are kept until their blocks are needed,
 *     and used again by requests that begin with the same tokens
 * @param kvOffloadBytes host memory for blocks whose place on the device is needed, from where they
 *     come back when they are wanted again; 0: none. Needs prefixCaching
 * @param kvOffloadDiskBytes size of a file for blocks whose place in host memory is needed; 0:
 *     none. Needs kvOffloadBytes
 * @param kvOffloadDir folder of that file, which only its owner may read and which has no name
 *     while it is used; empty: none
 * @param schedulingPolicy the order in which waiting requests start
 * @param tenantWeights policy FAIR: shares of tenants by name, positive; 1 for those not named
 * @param dummyWeights random weights instead of reading {@code *.safetensors}
 * @param deterministic a request's tokens do not depend on what shares its batch; false lets a
 *     GPU's attention share its work out by the batch at hand and cuBLASLt multiply many rows,
 *     which changes the last bits. The CPU is always deterministic
 * @param logitsProcessors what requests may ask for by name, beside what {@link
 *     java.util.ServiceLoader} finds
 * @param speculation who drafts tokens ahead; {@link Speculation#OFF}: nobody
 * @param tensorParallelSize ranks that run the model together, 1 to 64: each has a share of the
 *     heads, of the columns of the MLPs and of the vocabulary, on a CPU device of its own or on a
 *     GPU, of one process those from the device's number on. CPU ranks of one process share its
 *     threads out, and the memory that is free; kvCacheBytes are each rank's. Rank 0 draws, from
 *     logits that the others send it. GPUs need NCCL. Not with an expertDevice, experts on several
 *     ranks, kvOffloadBytes or speculation by a model or head, nor for models with experts or
 *     latent attention
 * @param revision branch, tag or commit where the model is one of a Hugging Face cache; empty: main
 */
public record EngineOptions(
        String device,
        String expertDevice,
        long expertCacheBytes,
        String expertLoads,
        GangOptions gang,
        int threads,
        String isa,
        Activations activations,
        KvCacheDtype kvCacheDtype,
        int maxModelLen,
        int maxNumSeqs,
        int maxNumBatchedTokens,
        int itlTargetMs,
        int maskWaitMs,
        boolean jumpForward,
        int maxWaiting,
        long maxWaitingTokens,
        long stepTimeoutMs,
        long unreadTimeoutMs,
        long kvCacheBytes,
        double memoryUtilization,
        boolean prefixCaching,
        long kvOffloadBytes,
        long kvOffloadDiskBytes,
        String kvOffloadDir,
        SchedulingPolicy schedulingPolicy,
        Map<String, Double> tenantWeights,
        boolean dummyWeights,
        boolean deterministic,
        List<LogitsProcessorFactory> logitsProcessors,
        Speculation speculation,
        int tensorParallelSize,
        String revision) {

    private static final int MASK_WAIT_MS = 5;
    private static final long TEN_MINUTES_MS = 600_000;
    private static final long LEAST_STEP_TIMEOUT_MS = 100;
    private static final long WEEK_MS = 7L * 24 * 3600 * 1000;

    /** Type of activations between operations. */
    public enum Activations {
        /** Two bytes: the default. */
        BF16,
        /** Four bytes: as exact as the reference. */
        F32
    }

    /** The order in which waiting requests start, and who is thrown out last. */
    public enum SchedulingPolicy {
        /** First come, first served. */
        FCFS,
        /** The lowest {@link Scheduling#priority} first. */
        PRIORITY,
        /** Earliest deadline first, of {@link Scheduling#ttftMs} and {@link Scheduling#tpotMs}. */
        DEADLINE,
        /** Weighted fair sharing among tenants, by a virtual token counter each. */
        FAIR
    }

    public EngineOptions {
        tenantWeights = Map.copyOf(tenantWeights);
        logitsProcessors = List.copyOf(logitsProcessors);
        OptionRules.requireExpertDevice(device, expertDevice);
        OptionRules.requireExpertCache(expertDevice, expertCacheBytes, expertLoads);
        OptionRules.requireRange("threads", threads, 0, 1024);
        OptionRules.requireRange("max-model-len", maxModelLen, 0, 1 << 24);
        OptionRules.requireRange("max-num-seqs", maxNumSeqs, 1, 4096);
        OptionRules.requireRange("max-num-batched-tokens", maxNumBatchedTokens, 16, 65536);
        OptionRules.requireRange("itl-target-ms", itlTargetMs, 0, 600_000);
        OptionRules.requireRange("mask-wait-ms", maskWaitMs, 0, 600_000);
        OptionRules.requireRange("max-waiting", maxWaiting, 0, 1_000_000);
        OptionRules.requireRange("max-waiting-tokens", maxWaitingTokens, 0, 1L << 40);
        if (stepTimeoutMs != 0) {
            OptionRules.requireRange(
                    "step-timeout-ms", stepTimeoutMs, LEAST_STEP_TIMEOUT_MS, WEEK_MS);
        }
        OptionRules.requireRange("unread-timeout-ms", unreadTimeoutMs, 0, WEEK_MS);
        if (kvCacheBytes < 0) {
            throw EngineException.invalid(
                    "kv-cache-memory",
                    "kv-cache-memory must not be negative: kv-cache-memory=" + kvCacheBytes);
        }
        if (!(memoryUtilization >= 0 && memoryUtilization <= 1)) {
            throw EngineException.invalid(
                    "gpu-memory-utilization",
                    "gpu-memory-utilization must be in (0, 1], or 0 to choose:"
                            + " gpu-memory-utilization="
                            + memoryUtilization);
        }
        OptionRules.requireOffload(prefixCaching, kvOffloadBytes);
        OptionRules.requireDisk(kvOffloadBytes, kvOffloadDiskBytes, kvOffloadDir);
        OptionRules.requireWeights(schedulingPolicy, tenantWeights);
        OptionRules.requireRanks(
                tensorParallelSize, gang, expertDevice, kvOffloadBytes, speculation);
    }

    public static EngineOptions defaults() {
        return new EngineOptions(
                "cpu",
                "",
                0,
                "",
                GangOptions.NONE,
                0,
                "auto",
                Activations.BF16,
                KvCacheDtype.AUTO,
                0,
                64,
                2048,
                0,
                MASK_WAIT_MS,
                false,
                1024,
                0,
                TEN_MINUTES_MS,
                TEN_MINUTES_MS,
                0,
                0,
                true,
                0,
                0,
                "",
                SchedulingPolicy.FCFS,
                Map.of(),
                false,
                true,
                List.of(),
                Speculation.OFF,
                1,
                "");
    }

    /** All fields, to change one of them. */
    private static final class Fields {
        private String device;
        private String expertDevice;
        private long expertCacheBytes;
        private String expertLoads;
        private GangOptions gang;
        private int threads;
        private String isa;
        private Activations activations;
        private KvCacheDtype kvCacheDtype;
        private int maxModelLen;
        private int maxNumSeqs;
        private int maxNumBatchedTokens;
        private int itlTargetMs;
        private int maskWaitMs;
        private boolean jumpForward;
        private int maxWaiting;
        private long maxWaitingTokens;
        private long stepTimeoutMs;
        private long unreadTimeoutMs;
        private long kvCacheBytes;
        private double memoryUtilization;
        private boolean prefixCaching;
        private long kvOffloadBytes;
        private long kvOffloadDiskBytes;
        private String kvOffloadDir;
        private SchedulingPolicy schedulingPolicy;
        private Map<String, Double> tenantWeights;
        private boolean dummyWeights;
        private boolean deterministic;
        private List<LogitsProcessorFactory> logitsProcessors;
        private Speculation speculation;
        private int tensorParallelSize;
        private String revision;

        Fields(EngineOptions from) {
            device = from.device;
            expertDevice = from.expertDevice;
            expertCacheBytes = from.expertCacheBytes;
            expertLoads = from.expertLoads;
            gang = from.gang;
            threads = from.threads;
            isa = from.isa;
            activations = from.activations;
            kvCacheDtype = from.kvCacheDtype;
            maxModelLen = from.maxModelLen;
            maxNumSeqs = from.maxNumSeqs;
            maxNumBatchedTokens = from.maxNumBatchedTokens;
            itlTargetMs = from.itlTargetMs;
            maskWaitMs = from.maskWaitMs;
            jumpForward = from.jumpForward;
            maxWaiting = from.maxWaiting;
            maxWaitingTokens = from.maxWaitingTokens;
            stepTimeoutMs = from.stepTimeoutMs;
            unreadTimeoutMs = from.unreadTimeoutMs;
            kvCacheBytes = from.kvCacheBytes;
            memoryUtilization = from.memoryUtilization;
            prefixCaching = from.prefixCaching;
            kvOffloadBytes = from.kvOffloadBytes;
            kvOffloadDiskBytes = from.kvOffloadDiskBytes;
            kvOffloadDir = from.kvOffloadDir;
            schedulingPolicy = from.schedulingPolicy;
            tenantWeights = from.tenantWeights;
            dummyWeights = from.dummyWeights;
            deterministic = from.deterministic;
            logitsProcessors = from.logitsProcessors;
            speculation = from.speculation;
            tensorParallelSize = from.tensorParallelSize;
            revision = from.revision;
        }

        EngineOptions build() {
            return new EngineOptions(
                    device,
                    expertDevice,
                    expertCacheBytes,
                    expertLoads,
                    gang,
                    threads,
                    isa,
                    activations,
                    kvCacheDtype,
                    maxModelLen,
                    maxNumSeqs,
                    maxNumBatchedTokens,
                    itlTargetMs,
                    maskWaitMs,
                    jumpForward,
                    maxWaiting,
                    maxWaitingTokens,
                    stepTimeoutMs,
                    unreadTimeoutMs,
                    kvCacheBytes,
                    memoryUtilization,
                    prefixCaching,
                    kvOffloadBytes,
                    kvOffloadDiskBytes,
                    kvOffloadDir,
                    schedulingPolicy,
                    tenantWeights,
                    dummyWeights,
                    deterministic,
                    logitsProcessors,
                    speculation,
                    tensorParallelSize,
                    revision);
        }
    }

    public EngineOptions device(String value) {
        Fields fields = new Fields(this);
        fields.device = value;
        return fields.build();
    }

    public EngineOptions expertDevice(String value) {
        Fields fields = new Fields(this);
        fields.expertDevice = value;
        return fields.build();
    }

    /**
     * @param loads file
     */
    public EngineOptions expertCache(long bytes, String loads) {
        Fields fields = new Fields(this);
        fields.expertCacheBytes = bytes;
        fields.expertLoads = loads;
        return fields.build();
    }

    public EngineOptions gang(GangOptions value) {
        Fields fields = new Fields(this);
        fields.gang = value;
        return fields.build();
    }

    public EngineOptions threads(int value) {
        Fields fields = new Fields(this);
        fields.threads = value;
        return fields.build();
    }

    public EngineOptions isa(String value) {
        Fields fields = new Fields(this);
        fields.isa = value;
        return fields.build();
    }

    public EngineOptions activations(Activations value) {
        Fields fields = new Fields(this);
        fields.activations = value;
        return fields.build();
    }

    public EngineOptions kvCacheDtype(KvCacheDtype value) {
        Fields fields = new Fields(this);
        fields.kvCacheDtype = value;
        return fields.build();
    }

    public EngineOptions maxModelLen(int value) {
        Fields fields = new Fields(this);
        fields.maxModelLen = value;
        return fields.build();
    }

    public EngineOptions maxNumSeqs(int value) {
        Fields fields = new Fields(this);
        fields.maxNumSeqs = value;
        return fields.build();
    }

    public EngineOptions maxNumBatchedTokens(int value) {
        Fields fields = new Fields(this);
        fields.maxNumBatchedTokens = value;
        return fields.build();
    }

    public EngineOptions itlTargetMs(int value) {
        Fields fields = new Fields(this);
        fields.itlTargetMs = value;
        return fields.build();
    }

    public EngineOptions maskWaitMs(int value) {
        Fields fields = new Fields(this);
        fields.maskWaitMs = value;
        return fields.build();
    }

    public EngineOptions jumpForward(boolean value) {
        Fields fields = new Fields(this);
        fields.jumpForward = value;
        return fields.build();
    }

    public EngineOptions maxWaiting(int value) {
        Fields fields = new Fields(this);
        fields.maxWaiting = value;
        return fields.build();
    }

    public EngineOptions maxWaitingTokens(long value) {
        Fields fields = new Fields(this);
        fields.maxWaitingTokens = value;
        return fields.build();
    }

    public EngineOptions stepTimeoutMs(long value) {
        Fields fields = new Fields(this);
        fields.stepTimeoutMs = value;
        return fields.build();
    }

    public EngineOptions unreadTimeoutMs(long value) {
        Fields fields = new Fields(this);
        fields.unreadTimeoutMs = value;
        return fields.build();
    }

    public EngineOptions kvCacheBytes(long value) {
        Fields fields = new Fields(this);
        fields.kvCacheBytes = value;
        return fields.build();
    }

    public EngineOptions memoryUtilization(double value) {
        Fields fields = new Fields(this);
        fields.memoryUtilization = value;
        return fields.build();
    }

    public EngineOptions prefixCaching(boolean value) {
        Fields fields = new Fields(this);
        fields.prefixCaching = value;
        return fields.build();
    }

    public EngineOptions kvOffloadBytes(long value) {
        Fields fields = new Fields(this);
        fields.kvOffloadBytes = value;
        return fields.build();
    }

    /** A file of so many bytes in a folder; 0 and empty: none. */
    public EngineOptions kvOffloadDisk(long bytes, String folder) {
        Fields fields = new Fields(this);
        fields.kvOffloadDiskBytes = bytes;
        fields.kvOffloadDir = folder;
        return fields.build();
    }

    public EngineOptions schedulingPolicy(SchedulingPolicy value) {
        Fields fields = new Fields(this);
        fields.schedulingPolicy = value;
        return fields.build();
    }

    public EngineOptions tenantWeights(Map<String, Double> value) {
        Fields fields = new Fields(this);
        fields.tenantWeights = value;
        return fields.build();
    }

    public EngineOptions dummyWeights(boolean value) {
        Fields fields = new Fields(this);
        fields.dummyWeights = value;
        return fields.build();
    }

    public EngineOptions speculation(Speculation value) {
        Fields fields = new Fields(this);
        fields.speculation = value;
        return fields.build();
    }

    public EngineOptions tensorParallelSize(int value) {
        Fields fields = new Fields(this);
        fields.tensorParallelSize = value;
        return fields.build();
    }

    public EngineOptions revision(String value) {
        Fields fields = new Fields(this);
        fields.revision = value;
        return fields.build();
    }

    public EngineOptions deterministic(boolean value) {
        Fields fields = new Fields(this);
        fields.deterministic = value;
        return fields.build();
    }

    public EngineOptions logitsProcessors(List<LogitsProcessorFactory> value) {
        Fields fields = new Fields(this);
        fields.logitsProcessors = value;
        return fields.build();
    }
}
