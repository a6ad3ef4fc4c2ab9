package io.cortado.engine;

import io.cortado.api.EngineStats;
import io.cortado.kv.BlockPool;
import io.cortado.kv.DiskTier;
import io.cortado.kv.KvCache;

/** Counts on the loop's thread; any thread reads what was last published. */
final class Counters {
    private final Scheduler scheduler;
    private final KvCache cache;
    private final BlockPool pool;
    private final Journal journal;
    private final Door door;
    private final StepWatch watch;
    private final DraftCounts drafts;
    private final LateMasks masks;
    private long steps;
    private long scheduledSeqs;
    private long hostNanos;

    private volatile int sharedRunning;
    private volatile int sharedWaiting;
    private volatile int sharedDeferred;
    private volatile int sharedBlocks;
    private volatile long sharedSteps;
    private volatile long sharedSeqs;
    private volatile long sharedPromptTokens;
    private volatile long sharedGenerationTokens;
    private volatile long sharedPreemptions;
    private volatile long sharedHostNanos;
    private volatile int sharedKept;
    private volatile int sharedHostBlocks;
    private volatile long sharedEvictions;
    private volatile long sharedReused;
    private volatile long sharedFromHost;
    private volatile int sharedDiskBlocks;
    private volatile long sharedFromDisk;
    private volatile long sharedOffloads;
    private volatile long sharedQueried;
    private volatile long sharedDeviceNanos;
    private volatile long unread;

    Counters(
            Scheduler scheduler,
            KvCache cache,
            Door door,
            StepWatch watch,
            DraftCounts drafts,
            LateMasks masks) {
        this.masks = masks;
        this.drafts = drafts;
        this.scheduler = scheduler;
        this.cache = cache;
        this.door = door;
        this.watch = watch;
        pool = cache.pool();
        journal = scheduler.journal();
    }

    /** Time that the loop has worked rather than waited. */
    void host(long nanos) {
        hostNanos += nanos;
    }

    /** The same, in all. */
    long hostNanos() {
        return hostNanos;
    }

    /** A step has ended. */
    void step(Batch batch) {
        steps++;
        scheduledSeqs += batch.numSeqs() - batch.numForks();
    }

    /** A request was cancelled because nobody read its output. */
    void unread() {
        unread = unread + 1; // written by the loop alone
    }

    void publish() {
        sharedRunning = scheduler.running();
        sharedWaiting = scheduler.waiting();
        sharedDeferred = scheduler.deferred();
        sharedBlocks = pool.used();
        sharedSteps = steps;
        sharedSeqs = scheduledSeqs;
        sharedPromptTokens = journal.promptTokens();
        sharedGenerationTokens = journal.outputTokens();
        sharedPreemptions = scheduler.preemptions();
        sharedHostNanos = hostNanos;
        BlockPool host = cache.hostPool();
        sharedKept = pool.kept();
        sharedHostBlocks = host == null ? 0 : host.kept() + host.used();
        sharedEvictions = pool.evictions();
        sharedReused = scheduler.reusedTokens();
        sharedFromHost = scheduler.tokensFromHost();
        DiskTier disk = cache.disk();
        sharedDiskBlocks = disk == null ? 0 : disk.pool().kept() + disk.pool().used();
        sharedFromDisk = disk == null ? 0 : disk.blocksRead();
        sharedOffloads = journal.offloads();
        sharedQueried = journal.queriedTokens();
        sharedDeviceNanos = journal.deviceNanos();
        drafts.publish();
    }

    EngineStats snapshot() {
        return new EngineStats(
                sharedRunning,
                sharedWaiting,
                sharedDeferred,
                sharedBlocks,
                pool.total(),
                sharedSteps,
                sharedSeqs,
                sharedPromptTokens,
                sharedGenerationTokens,
                sharedPreemptions,
                sharedHostNanos,
                sharedDeviceNanos,
                journal.stepSizes().snapshot(),
                new EngineStats.Cache(
                        BlockPool.BLOCK_TOKENS,
                        sharedKept,
                        sharedHostBlocks,
                        sharedEvictions,
                        sharedOffloads,
                        sharedQueried,
                        sharedReused,
                        sharedFromHost,
                        sharedDiskBlocks,
                        sharedFromDisk),
                drafts.snapshot(),
                masks.snapshot(),
                new EngineStats.Guards(
                        door.waitingTokens(),
                        door.refusedByRequests(),
                        door.refusedByTokens(),
                        unread,
                        watch.ageNanos(),
                        watch.isSlow(),
                        watch.slowCalls()));
    }
}
