package io.cortado.engine;

import io.cortado.api.ByteSize;
import io.cortado.api.EngineException;
import io.cortado.api.EngineException.Code;
import io.cortado.api.EngineOptions;
import io.cortado.device.Device;
import io.cortado.device.Placement;
import io.cortado.kv.BlockPool;
import io.cortado.model.Activations;
import io.cortado.model.KvType;
import io.cortado.model.ModelConfig;
import io.cortado.model.WeightPlan;
import io.cortado.model.WorkspaceBytes;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * How an engine divides a device's memory: weights and workspaces take what they need, the KV cache
 * what is left of the part that the engine may take. Asked before a weight is read, so that what
 * cannot fit is refused at once, and again with what is free when they are there.
 *
 * @param weightBytes on the device
 * @param hostBytes of KV blocks in host memory, where that is the device's memory too
 * @param blockBytes of a block of the KV cache
 * @param blocksPerSeq that a sequence of maxModelLen needs
 * @param isLenAsked a sequence of maxModelLen must fit: the user has named that length
 */
record MemoryPlan(
        EngineOptions options,
        boolean isCpu,
        long weightBytes,
        long workspaceBytes,
        long hostBytes,
        long blockBytes,
        int blocksPerSeq,
        boolean isLenAsked,
        @Nullable ExpertMemory experts) {

    private static final double DEFAULT_UTILIZATION = 0.9;

    /** On the CPU the KV cache takes one part in so many of what is left, unless told otherwise. */
    private static final int CPU_PART = 2;

    private static final long MAX_BLOCKS = Integer.MAX_VALUE / BlockPool.BLOCK_TOKENS;

    /**
     * The KV cache.
     *
     * @param why it has this size, for people
     * @param isAllThatIsUsed more could never be in use
     */
    record KvSize(int blocks, String why, boolean isAllThatIsUsed) {}

    /**
     * What experts need that are in host memory while all else is on another device.
     *
     * @param free bytes of the host before anything is there
     */
    record ExpertMemory(long weightBytes, long workspaceBytes, long free) {}

    static MemoryPlan of(
            Placement placement,
            ModelConfig config,
            WeightPlan weights,
            EngineOptions options,
            int maxModelLen) {
        Device device = placement.device();
        Activations activations = activations(options);
        int blocksPerSeq = BlockPool.blocksFor(maxModelLen);
        Limits limits = Limits.of(options, config, 1);
        boolean isCpu = device.hostReachesMemory();
        return new MemoryPlan(
                options,
                isCpu,
                weights.bytes() - weights.onExpertDevice(),
                WorkspaceBytes.of(
                                placement,
                                config,
                                activations,
                                kvType(options),
                                limits.maxTables(),
                                limits.maxNumBatchedTokens(),
                                blocksPerSeq,
                                limits.maxRows(),
                                options.deterministic(),
                                options.gang().mostMicroBatches())
                        + device.sampleStateBytes(limits.maxStates(), config.vocabSize()),
                isCpu ? options.kvOffloadBytes() : 0,
                config.kvBytesPerBlock(activations, kvType(options)),
                blocksPerSeq,
                options.maxModelLen() > 0,
                experts(placement, config, weights, options));
    }

    private static @Nullable ExpertMemory experts(
            Placement placement, ModelConfig config, WeightPlan weights, EngineOptions options) {
        Device cpu = placement.expertDevice();
        return cpu == null
                ? null
                : new ExpertMemory(
                        weights.onExpertDevice(),
                        WorkspaceBytes.onHost(
                                placement,
                                config,
                                activations(options),
                                options.maxNumBatchedTokens()),
                        cpu.info().freeMemoryBytes());
    }

    /** The same with what drafts beside the model, in blocks of the same numbers. */
    MemoryPlan with(long moreWeights, long moreWorkspace, long moreOfBlock) {
        return new MemoryPlan(
                options,
                isCpu,
                weightBytes + moreWeights,
                workspaceBytes + moreWorkspace,
                hostBytes,
                blockBytes + moreOfBlock,
                blocksPerSeq,
                isLenAsked,
                experts);
    }

    static Activations activations(EngineOptions options) {
        return switch (options.activations()) {
            case BF16 -> Activations.BF16;
            case F32 -> Activations.F32;
        };
    }

    static KvType kvType(EngineOptions options) {
        return KvType.valueOf(options.kvCacheDtype().name());
    }

    /**
     * What the KV cache will have.
     *
     * @param free bytes of the device before anything is on it
     * @throws EngineException WEIGHTS_DO_NOT_FIT, WORKSPACE_DOES_NOT_FIT or KV_DOES_NOT_FIT
     */
    KvSize beforeLoading(long free) {
        requireExperts();
        long budget = budget(options, free);
        if (weightBytes > budget) {
            throw refused(
                    Code.WEIGHTS_DO_NOT_FIT,
                    "gpu-memory-utilization",
                    "the weights need %s, and of %s free memory the engine may take %s: %s"
                            .formatted(
                                    size(weightBytes), size(free), size(budget), moreMemory(free)));
        }
        long left = budget - weightBytes - workspaceBytes - hostBytes;
        if (left < 0) {
            throw refused(
                    Code.WORKSPACE_DOES_NOT_FIT,
                    "max-num-batched-tokens",
                    ("steps of %d tokens and %d sequences compute in %s, KV blocks in host memory"
                                    + " take %s, and the weights leave %s: lower"
                                    + " --max-num-batched-tokens, --max-num-seqs or --kv-offload-gb")
                            .formatted(
                                    options.maxNumBatchedTokens(),
                                    options.maxNumSeqs(),
                                    size(workspaceBytes),
                                    size(hostBytes),
                                    size(budget - weightBytes)));
        }
        return kv(
                free - weightBytes - workspaceBytes - hostBytes,
                left,
                size(free) + " free before loading");
    }

    /**
     * What the KV cache gets.
     *
     * @param freeBefore bytes of the device before anything was on it
     * @param freeNow with the weights on it. Workspaces are not yet: what they will take is known,
     *     and on the CPU memory is free until it is first written
     */
    KvSize afterLoading(long freeBefore, long freeNow) {
        long left = freeNow - workspaceBytes - hostBytes;
        return kv(
                left,
                left - (freeBefore - budget(options, freeBefore)),
                "%s free before loading and %s after it"
                        .formatted(size(freeBefore), size(freeNow)));
    }

    private void requireExperts() {
        ExpertMemory on = experts;
        if (on == null) {
            return;
        }
        long needed = on.weightBytes + on.workspaceBytes + options.kvOffloadBytes();
        long budget = (long) (on.free * DEFAULT_UTILIZATION);
        if (needed > budget) {
            throw refused(
                    Code.WEIGHTS_DO_NOT_FIT,
                    "expert-device",
                    ("experts in host memory need %s (weights %s, workspace %s, KV blocks %s), and"
                                    + " of %s free there the engine may take %s: take a smaller or"
                                    + " quantised model, or lower --kv-offload-gb")
                            .formatted(
                                    size(needed),
                                    size(on.weightBytes),
                                    size(on.workspaceBytes),
                                    size(options.kvOffloadBytes()),
                                    size(on.free),
                                    size(budget)));
        }
    }

    /** What an engine may take of so much free memory. */
    static long budget(EngineOptions options, long free) {
        double utilization = options.memoryUtilization();
        return (long) (free * (utilization == 0 ? DEFAULT_UTILIZATION : utilization));
    }

    /**
     * @param most bytes that are there at all
     * @param within bytes of them that the engine may take unasked
     * @param state what was free, for people
     */
    private KvSize kv(long most, long within, String state) {
        long asked = options.kvCacheBytes();
        long wanted = (long) options.maxNumSeqs() * blocksPerSeq;
        boolean isHalved = isCpu && options.memoryUtilization() == 0;
        long usable = Math.max(0, isHalved ? within / CPU_PART : within);
        long blocks = asked > 0 ? asked / blockBytes : Math.min(wanted, usable / blockBytes);
        blocks = Math.min(blocks, MAX_BLOCKS);
        requireAsked(asked, most);
        requireLength(asked, blocks, asked > 0 ? most : usable);
        return new KvSize(
                (int) blocks, why(asked, wanted, blocks, isHalved, state), blocks >= wanted);
    }

    private void requireAsked(long asked, long most) {
        if (asked > 0 && asked < blockBytes) {
            throw refused(
                    Code.KV_DOES_NOT_FIT,
                    "kv-cache-memory",
                    "the KV cache must hold at least one block of %d tokens: raise --kv-cache-memory to at least that: kv-cache-memory=%d block=%d"
                            .formatted(BlockPool.BLOCK_TOKENS, asked, blockBytes));
        }
        if (asked > most) {
            throw refused(
                    Code.KV_DOES_NOT_FIT,
                    "kv-cache-memory",
                    "--kv-cache-memory asks for %s, and weights and workspaces leave %s: lower it to at most %d"
                            .formatted(size(asked), size(Math.max(0, most)), Math.max(0, most)));
        }
    }

    private void requireLength(long asked, long blocks, long has) {
        int needed = isLenAsked ? blocksPerSeq : 1;
        if (blocks >= needed) {
            return;
        }
        String raise =
                asked > 0
                        ? "raise --kv-cache-memory to " + needed * blockBytes
                        : "raise --gpu-memory-utilization or give --kv-cache-memory, or lower"
                                + " --max-num-batched-tokens";
        String lower =
                blocks > 0
                        ? "lower --max-model-len to %d, or "
                                .formatted(blocks * BlockPool.BLOCK_TOKENS)
                        : "";
        throw refused(
                Code.KV_DOES_NOT_FIT,
                blocks > 0 ? "max-model-len" : "gpu-memory-utilization",
                "a sequence of %d tokens needs %s of KV cache, which has %s: %s%s"
                        .formatted(
                                (long) needed * BlockPool.BLOCK_TOKENS,
                                size(needed * blockBytes),
                                size(asked > 0 ? asked : has),
                                lower,
                                raise));
    }

    private String why(long asked, long wanted, long blocks, boolean isHalved, String state) {
        String taken =
                "%s in %d blocks of %d tokens: "
                        .formatted(size(blocks * blockBytes), blocks, BlockPool.BLOCK_TOKENS);
        if (asked > 0) {
            return taken + "as --kv-cache-memory says";
        }
        if (blocks == wanted) {
            return taken
                    + "%d sequences of %d tokens need no more"
                            .formatted(
                                    options.maxNumSeqs(),
                                    (long) blocksPerSeq * BlockPool.BLOCK_TOKENS);
        }
        double utilization = options.memoryUtilization();
        return taken
                + "%s --gpu-memory-utilization=%s leaves beside weights (%s) and workspaces (%s); %s"
                        .formatted(
                                isHalved ? "half of what" : "what",
                                utilization == 0 ? DEFAULT_UTILIZATION : utilization,
                                size(weightBytes),
                                size(workspaceBytes),
                                state);
    }

    private String moreMemory(long free) {
        double needed = (double) (weightBytes + workspaceBytes + blockBytes) / free;
        return needed <= 1
                ? String.format(
                        Locale.ROOT,
                        "raise --gpu-memory-utilization to at least %.2f, or take a smaller or"
                                + " quantised model",
                        Math.ceil(needed * 100) / 100)
                : "take a smaller or quantised model, or a device with more memory (--device)";
    }

    private static EngineException refused(Code code, String flag, String message) {
        return new EngineException(code, code + ": " + message, flag);
    }

    private static String size(long bytes) {
        return ByteSize.text(bytes);
    }
}
