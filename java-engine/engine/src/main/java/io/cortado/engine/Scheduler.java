package io.cortado.engine;

import io.cortado.kv.BlockHasher;
import io.cortado.kv.BlockPool;
import io.cortado.kv.KvCache;
import java.util.Objects;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Chooses each step's tokens within one budget: running decodes, then running prefill chunks, then
 * waiting sequences in the order of a policy. Integers only, no allocation in the steady state, one
 * thread.
 *
 * <p>Blocks for all the tokens that a sequence has are taken when it starts, so only decodes ask
 * for more later. When none is free, a running sequence is thrown out, perhaps the one that asks:
 * the policy's last, among equals the one whose loss costs the least recomputation, and it waits in
 * the policy's order. Its full blocks stay in the cache until others need them, and beyond in host
 * memory where there is such a tier. After {@link Limits#maxPreemptions} times it comes back only
 * with all the blocks that it can ever need: it then never asks and is never thrown out, hence
 * there are finitely many preemptions and every step between them makes progress. So does from the
 * start a sequence whose counts on the device cannot be made again.
 *
 * <p>The next step is chosen while the last one runs. What a running step computes counts as
 * computed, and the tokens that it draws count, unknown as they are. Blocks that are taken from a
 * sequence in a running step can go to others at once, and so can its sum and its counts: the
 * device runs steps one after the other, so the new owner writes after the last read.
 */
final class Scheduler {
    /** A prompt's share of a step is not cut any smaller where there is more for it. */
    private static final int MIN_SHARED_CHUNK = 64;

    private static final int NEVER = Integer.MIN_VALUE;

    private final KvCache cache;
    private final BlockPool pool;
    private final BlockHasher hasher = new BlockHasher();
    private final Limits limits;
    private final LongSupplier clock;
    private final DraftBlocks draftBlocks;
    private final Journal journal;
    private final Pace pace;
    private final @Nullable Sequence[] running;
    private final AdmissionQueue waiting;

    // Passed over in the look that is under way.
    private final @Nullable Sequence[] passed = new @Nullable Sequence[AdmissionQueue.SCAN];
    private int numPassed;

    /** Sums of the device that no running sequence has. */
    private final FreeNumbers freeSums;

    /** Slots of the device's counts that no running sequence has. */
    private final FreeNumbers freeStates;

    private int numRunning;

    /** What those that waited were short of when the last step was chosen. */
    private Journal.@Nullable Hold hold;

    /**
     * So many blocks were free when a look last found nothing that fits, and the cache's stamp
     * then; {@link #NEVER} since something has come to wait.
     */
    private int refusedFree = NEVER;

    private long refusedStamp;

    /** Answers that wait for the first one of their request to compute the prompt. */
    private int numHeld;

    private long nextOrder;
    private long preemptions;
    private long reusedTokens;
    private long tokensFromHost;

    Scheduler(KvCache cache, Limits limits, AdmissionQueue waiting, LongSupplier clock) {
        this.cache = cache;
        this.clock = clock;
        this.limits = limits;
        this.waiting = waiting;
        pool = cache.pool();
        draftBlocks = new DraftBlocks(cache, limits);
        journal = new Journal(cache);
        pace = new Pace(limits.itlTargetNanos());
        running = new @Nullable Sequence[limits.maxNumSeqs()];
        freeSums = new FreeNumbers(limits.maxNumSeqs());
        freeStates = new FreeNumbers(limits.maxStates());
    }

    Journal journal() {
        return journal;
    }

    DraftBlocks draftBlocks() {
        return draftBlocks;
    }

    int running() {
        return numRunning;
    }

    int waiting() {
        return waiting.size() + numHeld;
    }

    /** Those that wait for the first answer of their request. */
    int deferred() {
        return numHeld;
    }

    long preemptions() {
        return preemptions;
    }

    /** Tokens that were not computed because the cache held them, since the start. */
    long reusedTokens() {
        return reusedTokens;
    }

    /** Those of them that came back from host memory. */
    long tokensFromHost() {
        return tokensFromHost;
    }

    boolean isIdle() {
        return numRunning == 0 && waiting() == 0;
    }

    Sequence running(int index) {
        return Objects.requireNonNull(running[index]);
    }

    /** Adds a new sequence; the door has checked that it fits when alone. */
    void add(Sequence sequence) {
        sequence.order = nextOrder++;
        if (sequence.sharesTheFirstPrompt()) {
            sequence.isHeld = true;
            numHeld++;
        } else {
            enqueue(sequence);
        }
    }

    /** The prompt of a request is in the cache: its other answers may start from there. */
    private void releaseHeld(Request request) {
        for (Sequence sequence : request.sequences) {
            if (sequence.isHeld) {
                drop(sequence);
                enqueue(sequence);
            }
        }
    }

    private void enqueue(Sequence sequence) {
        waiting.add(sequence);
        refusedFree = NEVER;
    }

    private void drop(Sequence held) {
        held.isHeld = false;
        numHeld--;
    }

    /** Takes a sequence out, wherever it is, for good, and frees its blocks. */
    void remove(Sequence sequence) {
        if (sequence.isHeld) {
            drop(sequence);
        } else if (!removeRunning(sequence)) {
            waiting.remove(sequence);
            refusedFree = NEVER;
        }
        waiting.ended(sequence);
        draftBlocks.releaseAll(sequence);
    }

    /** Fills the batch with the next step's work; false if there is nothing to do. */
    boolean next(Batch batch) {
        batch.clear(limits.maxScoreRows());
        lookAtRunning();
        boolean preemptedNow = makeRoom();
        addDecodes(batch);
        batch.endDecodes(pace.promptTokens());
        addPrefills(batch);
        if (!preemptedNow) {
            admit(batch);
        }
        hold = shortage(batch);
        journal.hold(hold);
        if (batch.numTokens() == 0 && !isIdle() && !anyAwaitsItsEnd()) {
            throw new IllegalStateException(
                    "no sequence can run: running=" + numRunning + " waiting=" + waiting());
        }
        return batch.numTokens() > 0;
    }

    /** True if a running sequence has nothing to compute before the step under way has ended. */
    private boolean anyAwaitsItsEnd() {
        for (int i = 0; i < numRunning; i++) {
            if (running(i).pending() == 0) {
                return true;
            }
        }
        return false;
    }

    /** The batch is under way: it is the step before of what is chosen next. */
    void advance(Batch batch) {
        cache.commit();
        for (int i = 0; i < batch.numSeqs(); i++) {
            Sequence sequence = batch.sequence(i);
            sequence.computed += batch.knownOf(i);
            offer(sequence);
            if (sequence.index == 0 && sequence.computed >= sequence.prompt.length) {
                releaseHeld(sequence.request);
            }
        }
        for (int row = 0; row < batch.numRows(); row++) {
            if (batch.drawsBehindKnown(row)) {
                Sequence sequence = batch.sequence(batch.rowSequence[row]);
                sequence.drawing++;
                sequence.drawingRow = row;
                sequence.isStateNew = false;
            }
        }
    }

    /** A batch has run for so long. */
    void ran(Batch batch, long nanos) {
        pace.ran(batch, nanos);
    }

    /** A step has drawn a token of a sequence that goes on. */
    void drew(Sequence sequence) {
        waiting.generated(sequence);
        offer(sequence);
    }

    /** Lets others share the blocks that are full of known tokens. */
    private void offer(Sequence sequence) {
        if (sequence.keys != null && sequence.table.size() > 0) {
            hasher.extend(sequence.keys, sequence, sequence.length() - sequence.drawing);
            cache.offer(sequence.table, sequence.keys, sequence, sequence.computed);
        }
    }

    /**
     * Lets those in whose masks were late and are made. What has outgrown one set of angles is
     * computed again in its own blocks.
     */
    private void lookAtRunning() {
        for (int i = 0; i < numRunning; i++) {
            Sequence sequence = running(i);
            sequence.comeIn();
            if (!sequence.isLong && isLong(sequence)) {
                sequence.isLong = true;
                sequence.computed = 0;
            }
        }
    }

    private boolean isLong(Sequence sequence) {
        return sequence.cachedLength() > limits.otherAnglesAbove();
    }

    /** Takes the blocks that running sequences need now; true if that threw any out. */
    private boolean makeRoom() {
        long before = preemptions;
        for (int i = 0; i < numRunning; i++) {
            Sequence sequence = running(i);
            // One that waits for its token computes nothing now: it asks when it goes on.
            while (sequence.pending() > 0 && !sequence.table.grow(pool, sequence.cachedLength())) {
                int victim = cheapestVictim();
                Sequence thrown = running(victim);
                preempt(thrown);
                i -= victim <= i ? 1 : 0;
                if (thrown == sequence) {
                    break;
                }
            }
        }
        return preemptions > before;
    }

    /**
     * The policy's last, then least recomputation, the youngest among equals. The asking one is
     * never protected.
     */
    private int cheapestVictim() {
        int best = -1;
        for (int i = 0; i < numRunning; i++) {
            Sequence sequence = running(i);
            if (!isProtected(sequence) && (best < 0 || isCheaper(sequence, running(best)))) {
                best = i;
            }
        }
        if (best < 0) {
            throw new IllegalStateException("every running sequence is protected and one asks");
        }
        return best;
    }

    private boolean isCheaper(Sequence a, Sequence b) {
        long rankA = waiting.victimRank(a);
        long rankB = waiting.victimRank(b);
        if (rankA != rankB) {
            return rankA > rankB;
        }
        int lossA = a.computed - a.reused;
        int lossB = b.computed - b.reused;
        return lossA != lossB ? lossA < lossB : a.order > b.order;
    }

    private boolean isProtected(Sequence sequence) {
        return sequence.preemptions >= limits.maxPreemptions()
                || sequence.request.rowParams.keepsState();
    }

    private void preempt(Sequence sequence) {
        journal.preempted(sequence, clock.getAsLong());
        removeRunning(sequence);
        draftBlocks.releaseAll(sequence);
        sequence.computed = 0;
        sequence.reused = 0;
        if (sequence.drafts != null) {
            sequence.drafts.restart(0);
        }
        sequence.preemptions++;
        sequence.passedOver = 0;
        enqueue(sequence);
        preemptions++;
    }

    /** Drafts get what the last tokens of all sequences leave. */
    private void addDecodes(Batch batch) {
        int left = Math.min(batch.tokensLeft() - numDecodes(), limits.maxDraftRows());
        for (int i = 0; i < numRunning; i++) {
            Sequence sequence = running(i);
            if (sequence.pending() == 1) {
                Drafts drafts = sequence.drafts;
                if (drafts != null && draftBlocks.fit(sequence, batch, left)) {
                    left -= drafts.tree().size();
                    batch.addDrafted(sequence, drafts.tree(), drafts.paths());
                } else {
                    batch.add(sequence, 1);
                }
            }
        }
    }

    private int numDecodes() {
        int count = 0;
        for (int i = 0; i < numRunning; i++) {
            count += running(i).pending() == 1 ? 1 : 0;
        }
        return count;
    }

    /**
     * Shares what is left among the prompts under way and one newcomer, for whom a part is kept
     * back: none starves the others.
     */
    private void addPrefills(Batch batch) {
        int newcomers = expectsNewcomer() ? 1 : 0;
        int kept = newcomers * Math.min(MIN_SHARED_CHUNK, batch.tokensLeft() / 2);
        int sharers = newcomers;
        for (int i = 0; i < numRunning; i++) {
            sharers += running(i).pending() > 1 ? 1 : 0;
        }
        for (int i = 0; i < numRunning && batch.tokensLeft() > kept; i++) {
            Sequence sequence = running(i);
            if (sequence.pending() > 1) {
                int share = Math.max(MIN_SHARED_CHUNK, batch.tokensLeft() / sharers--);
                int most = Math.min(share, batch.tokensLeft() - kept);
                batch.add(sequence, Math.min(sequence.pending(), most));
            }
        }
    }

    /**
     * Not in the step after one that looked and found too few blocks: so prompts get three quarters
     * of what there is while nobody can come, and whoever can comes a step later at most.
     */
    private boolean expectsNewcomer() {
        return waiting.size() > 0
                && numRunning < limits.maxNumSeqs()
                && hold != Journal.Hold.BLOCKS;
    }

    /** Blocks that admission leaves free. */
    private int spare() {
        return numRunning == 0 ? 0 : limits.watermarkBlocks();
    }

    /** Starts what fits, passing over what does not. */
    private void admit(Batch batch) {
        int free = pool.available() - spare();
        if (free <= refusedFree && cache.stamp() == refusedStamp) {
            return; // what was refused would be again
        }
        refusedFree = NEVER;
        waiting.begin();
        numPassed = 0;
        int before = numRunning;
        while (numRunning < limits.maxNumSeqs() && batch.tokensLeft() > 0) {
            Sequence sequence = waiting.next();
            if (sequence == null) {
                break;
            }
            KvCache.Admission admission = reserve(sequence);
            if (admission != null) {
                waiting.take();
                start(sequence, admission, batch);
                if (overtake()) {
                    break;
                }
            } else if (sequence.passedOver >= limits.maxPassedOver()) {
                break;
            } else {
                passed[numPassed++] = sequence;
            }
        }
        waiting.end();
        if (numRunning == before && numRunning < limits.maxNumSeqs() && batch.tokensLeft() > 0) {
            refusedFree = free;
            refusedStamp = cache.stamp();
        }
    }

    /** What those that still wait are short of; null where nobody waits. */
    private Journal.@Nullable Hold shortage(Batch batch) {
        if (waiting.size() == 0) {
            return null;
        }
        if (numRunning == limits.maxNumSeqs()) {
            return Journal.Hold.PLACES;
        }
        return batch.tokensLeft() == 0 ? Journal.Hold.BUDGET : Journal.Hold.BLOCKS;
    }

    private KvCache.@Nullable Admission reserve(Sequence sequence) {
        if (sequence.request.rowParams.hasState() && freeStates.isEmpty()) {
            return null;
        }
        int tokens = isProtected(sequence) ? sequence.maxCachedTokens() : sequence.cachedLength();
        return cache.admit(
                sequence.table, sequence.keys, sequence, tokens, sequence.reusable(), spare());
    }

    /** What was passed over in this look was overtaken; true if one too often. */
    private boolean overtake() {
        boolean tooOften = false;
        for (int i = 0; i < numPassed; i++) {
            Sequence sequence = Objects.requireNonNull(passed[i]);
            tooOften |= ++sequence.passedOver >= limits.maxPassedOver();
        }
        return tooOften;
    }

    private void start(Sequence sequence, KvCache.Admission admission, Batch batch) {
        running[numRunning++] = sequence;
        if (sequence.request.pooled != null) {
            sequence.sum = freeSums.take();
        }
        if (sequence.request.rowParams.hasState()) {
            sequence.stateSlot = freeStates.take();
            sequence.isStateNew = true;
        }
        sequence.isLong = isLong(sequence);
        sequence.computed = admission.reused();
        if (sequence.drafts != null) {
            sequence.drafts.restart(admission.reused());
        }
        sequence.reused = admission.reused();
        reusedTokens += admission.reused();
        tokensFromHost += admission.fromHost();
        long now = clock.getAsLong();
        journal.started(sequence, admission, now);
        sequence.request.markStarted(now, sequence.reused);
        waiting.admitted(sequence, Math.max(0, sequence.prompt.length - sequence.computed));
        sequence.comeIn();
        batch.add(sequence, sequence.pending());
    }

    private boolean removeRunning(Sequence sequence) {
        for (int i = 0; i < numRunning; i++) {
            if (running[i] == sequence) {
                System.arraycopy(running, i + 1, running, i, numRunning - i - 1);
                running[--numRunning] = null;
                if (sequence.request.pooled != null) {
                    freeSums.giveBack(sequence.sum);
                }
                if (sequence.stateSlot != Sequence.NO_SLOT) {
                    freeStates.giveBack(sequence.stateSlot);
                    sequence.stateSlot = Sequence.NO_SLOT;
                }
                return true;
            }
        }
        return false;
    }
}
