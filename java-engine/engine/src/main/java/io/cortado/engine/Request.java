package io.cortado.engine;

import io.cortado.api.EngineException;
import io.cortado.api.RequestReport;
import io.cortado.api.Timings;
import io.cortado.kv.BlockKeys;
import io.cortado.kv.DiskTier;
import io.cortado.speculate.SuffixIndex;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * One prompt and its answers: what the loop and the consumer share. The consumer reads {@link
 * Answer}s and parks; the loop unparks it.
 */
final class Request {
    private static final long UNSET = 0;

    final int[] prompt;
    final int maxOutput;
    final int priority;
    final String tenant;

    /** Of what its answers say. */
    final SuffixIndex.Owner owner;

    final long seed;
    final RowParams rowParams;

    /** Tokens that may be drafted for each answer in a step. */
    final int draftsAtMost;

    /** Likeliest tokens wanted beside each output token's own; -1: no log-probabilities. */
    final int logprobs;

    /** Likeliest tokens wanted beside each prompt token's own; 0 also where none is scored. */
    final int promptLogprobs;

    final @Nullable PromptScores scores;

    /** What comes of the prompt's hidden states; null where the request generates. */
    final @Nullable PooledRow pooled;

    /** All answers; more than {@link #n} where the likeliest are wanted. */
    final Sequence[] sequences;

    /** Answers that the consumer gets. */
    final int n;

    final Ledger ledger = new Ledger();

    /** The caller's name for it; need not be unique. */
    final String id;

    private final Door door;
    private final long arrivalNanos;
    private final long arrivalMillis = System.currentTimeMillis();
    private final long ttftTargetNanos;
    private final long tpotTargetNanos;
    private volatile int cachedTokens;

    // The loop thread's.
    boolean taken;
    boolean toWake;
    int openAnswers;
    int liveIndex;
    DiskTier.@Nullable Fetch fetch;
    long fetchedUntilNanos;
    private long readNanos;
    private volatile boolean started;

    // The waker's.
    final AtomicBoolean wakeNoted = new AtomicBoolean();
    @Nullable Request wakeBelow;

    private volatile long startedNanos;
    private volatile long firstTokenNanos;
    private volatile long endNanos;
    private final AtomicBoolean cancelled = new AtomicBoolean();
    private volatile @Nullable EngineException failure;
    private volatile @Nullable RequestReport report;
    private volatile @Nullable Thread consumer;
    private volatile boolean wasRead = true;

    Request(RequestSpec spec, Door door, long nowNanos) {
        this(spec, "", door, nowNanos);
    }

    Request(RequestSpec spec, String id, Door door, long nowNanos) {
        this.id = id;
        this.door = door;
        arrivalNanos = nowNanos;
        prompt = spec.prompt();
        priority = spec.scheduling().priority();
        tenant = spec.scheduling().tenant();
        owner = new SuffixIndex.Owner(tenant, spec.scheduling().cacheSalt());
        ttftTargetNanos = spec.scheduling().ttftTargetNanos();
        tpotTargetNanos = spec.scheduling().tpotTargetNanos();
        maxOutput = spec.maxOutput();
        seed = spec.seed();
        rowParams = spec.rowParams();
        draftsAtMost = spec.scheduling().draftTokens();
        logprobs = spec.logprobs();
        promptLogprobs = Math.max(0, spec.promptLogprobs());
        scores =
                spec.promptLogprobs() < 0
                        ? null
                        : new PromptScores(prompt.length, spec.promptLogprobs());
        pooled = spec.pooled();
        n = spec.n();
        sequences = new Sequence[spec.bestOf()];
        for (int i = 0; i < sequences.length; i++) {
            BlockKeys keys = spec.keys() == null || i == 0 ? spec.keys() : spec.keys().fork();
            sequences[i] = new Sequence(this, i, spec.stopRules().get(), keys);
        }
        openAnswers = sequences.length;
    }

    /**
     * One of the request's sequences runs.
     *
     * @param reused tokens of it that the cache held
     */
    void markStarted(long nowNanos, int reused) {
        if (!started) {
            startedNanos = nowNanos;
            started = true;
            cachedTokens = reused;
            door.started(prompt.length);
        }
    }

    /** True from when it first ran, or ended. */
    boolean hasStarted() {
        return started;
    }

    /** Place in the order of arrival; 0 until the loop has taken it. */
    long number() {
        return sequences[0].order;
    }

    long arrivalNanos() {
        return arrivalNanos;
    }

    /** Prompt tokens that the cache held when the request first ran. */
    int cachedTokens() {
        return cachedTokens;
    }

    /**
     * When the next token is due.
     *
     * @param size tokens that there are
     */
    long deadlineNanos(int size) {
        return arrivalNanos + ttftTargetNanos + size * tpotTargetNanos;
    }

    boolean awaitsFirstToken() {
        return firstTokenNanos == UNSET;
    }

    void markFirstToken(long nowNanos) {
        firstTokenNanos = nowNanos;
    }

    /** All answers have ended; to be called before the consumer can see it. */
    void markEnd(long nowNanos) {
        endNanos = nowNanos;
        markStarted(nowNanos, 0);
        door.leave(sequences.length);
    }

    /** What was recorded up to now. */
    RequestReport report(String outcome, Journal journal, long bytesPerBlock, long nowNanos) {
        return new RequestReport(
                id,
                number(),
                arrivalMillis,
                tenant,
                outcome,
                prompt.length,
                sequences.length,
                timings(nowNanos),
                ledger.queue(journal),
                ledger.prefill(),
                ledger.decode(),
                ledger.drafts(),
                ledger.preemption(),
                ledger.cost(bytesPerBlock));
    }

    private Timings timings(long nowNanos) {
        long end = endNanos == UNSET ? nowNanos : endNanos;
        int tokens = 0;
        for (Sequence sequence : sequences) {
            tokens += sequence.answer.size();
        }
        return new Timings(
                (started ? startedNanos : end) - arrivalNanos,
                (firstTokenNanos == UNSET ? end : firstTokenNanos) - arrivalNanos,
                end - arrivalNanos,
                tokens);
    }

    /** The report of its end. */
    void reported(RequestReport last) {
        report = last;
    }

    /** The report of its end; only once its answers have ended. */
    RequestReport report() {
        return Objects.requireNonNull(report);
    }

    void fail(EngineException error) {
        failure = error;
    }

    @Nullable EngineException failure() {
        return failure;
    }

    /** False if it was cancelled before. */
    boolean cancel() {
        return cancelled.compareAndSet(false, true);
    }

    boolean isCancelled() {
        return cancelled.get();
    }

    boolean hasEnded() {
        return endNanos != UNSET;
    }

    long queuedNanos() {
        return startedNanos - arrivalNanos;
    }

    long ttftNanos() {
        return (firstTokenNanos == UNSET ? endNanos : firstTokenNanos) - arrivalNanos;
    }

    long e2eNanos() {
        return endNanos - arrivalNanos;
    }

    /** The thread that waits for this request; null while none does. */
    void consumer(@Nullable Thread thread) {
        consumer = thread;
        wasRead = true;
    }

    /**
     * How long output has been there that nobody has come for, as far as earlier calls tell; for
     * the loop, now and then.
     */
    long unreadNanos(long nowNanos) {
        if (wasRead || consumer != null || !hasOutput()) {
            wasRead = false;
            readNanos = nowNanos;
        }
        return nowNanos - readNanos;
    }

    private boolean hasOutput() {
        for (Sequence sequence : sequences) {
            if (sequence.answer.size() > 0) {
                return true;
            }
        }
        return false;
    }

    void wake() {
        Thread thread = consumer;
        if (thread != null) {
            LockSupport.unpark(thread);
        }
    }
}
