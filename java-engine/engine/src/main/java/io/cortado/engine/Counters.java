package io.cortado.engine;

import io.cortado.api.EngineStats;
import io.cortado.kv.BlockPool;
import io.cortado.kv.KvCache;

/** Counts on the loop's thread; any thread reads what was last published. */
final class Counters {
    private final Scheduler scheduler;
    private final KvCache cache;
    private final BlockPool pool;
    private long steps;
    private long scheduledSeqs;
    private long promptTokens;
    private long generationTokens;
    private long hostNanos;

    private volatile int sharedRunning;
    private volatile int sharedWaiting;
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

    Counters(Scheduler scheduler, KvCache cache) {
        this.scheduler = scheduler;
        this.cache = cache;
        pool = cache.pool();
    }

    void generated() {
        generationTokens++;
    }

    /** Time that the loop has worked rather than waited. */
    void host(long nanos) {
        hostNanos += nanos;
    }

    /** A step has ended. */
    void step(Batch batch) {
        steps++;
        scheduledSeqs += batch.numSeqs();
        promptTokens += batch.promptTokens();
    }

    void publish() {
        sharedRunning = scheduler.running();
        sharedWaiting = scheduler.waiting();
        sharedBlocks = pool.used();
        sharedSteps = steps;
        sharedSeqs = scheduledSeqs;
        sharedPromptTokens = promptTokens;
        sharedGenerationTokens = generationTokens;
        sharedPreemptions = scheduler.preemptions();
        sharedHostNanos = hostNanos;
        BlockPool host = cache.hostPool();
        sharedKept = pool.kept();
        sharedHostBlocks = host == null ? 0 : host.kept() + host.used();
        sharedEvictions = pool.evictions();
        sharedReused = scheduler.reusedTokens();
        sharedFromHost = scheduler.tokensFromHost();
    }

    EngineStats snapshot() {
        return new EngineStats(
                sharedRunning,
                sharedWaiting,
                sharedBlocks,
                pool.total(),
                sharedSteps,
                sharedSeqs,
                sharedPromptTokens,
                sharedGenerationTokens,
                sharedPreemptions,
                sharedHostNanos,
                new EngineStats.Cache(
                        sharedKept,
                        sharedHostBlocks,
                        sharedEvictions,
                        sharedReused,
                        sharedFromHost));
    }
}
