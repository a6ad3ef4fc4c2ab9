package io.cortado.engine;

import io.cortado.kv.BlockPool;
import java.util.Objects;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Chooses each step's tokens within one budget: running decodes, then running prefill chunks, then
 * waiting sequences. Integers only, no allocation in the steady state, one thread.
 *
 * <p>Blocks for all the tokens that a sequence has are taken when it starts, so only decodes ask
 * for more later. When none is free, the running sequence whose loss costs the least recomputation
 * is thrown out, its own included, and waits before all that never ran. After {@link
 * Limits#maxPreemptions} times it comes back only with all the blocks that it can ever need: it
 * then never asks and is never thrown out, hence there are finitely many preemptions and every step
 * between them makes progress.
 *
 * <p>The next step is chosen while the last one runs. What a running step computes counts as
 * computed, and the tokens that it draws count, unknown as they are. Blocks that are taken from a
 * sequence in a running step can go to others at once, and so can its sum: the device runs steps
 * one after the other, so the new owner writes after the last read.
 */
final class Scheduler {
    /**
     * Waiting sequences looked at in a step, so that a long queue costs no more than a short one.
     */
    private static final int SCAN = 32;

    private static final int MIN_SHARED_CHUNK = 64;

    private final BlockPool pool;
    private final Limits limits;
    private final LongSupplier clock;
    private final @Nullable Sequence[] running;
    private final WaitingQueue preempted = new WaitingQueue();
    private final WaitingQueue waiting = new WaitingQueue();

    /** Sums of the device that no running sequence has, as a stack. */
    private final int[] freeSums;

    private int numFreeSums;
    private int numRunning;
    private long nextOrder;
    private long preemptions;

    Scheduler(BlockPool pool, Limits limits, LongSupplier clock) {
        this.pool = pool;
        this.clock = clock;
        this.limits = limits;
        running = new @Nullable Sequence[limits.maxNumSeqs()];
        freeSums = new int[limits.maxNumSeqs()];
        while (numFreeSums < freeSums.length) {
            freeSums[numFreeSums] = numFreeSums++;
        }
    }

    int running() {
        return numRunning;
    }

    int waiting() {
        return preempted.size() + waiting.size();
    }

    long preemptions() {
        return preemptions;
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
        waiting.addLast(sequence);
    }

    /** Takes a sequence out, wherever it is, and frees its blocks. */
    void remove(Sequence sequence) {
        if (!removeRunning(sequence) && !waiting.remove(sequence)) {
            preempted.remove(sequence);
        }
        sequence.table.release(pool);
    }

    /** Fills the batch with the next step's work; false if there is nothing to do. */
    boolean next(Batch batch) {
        batch.clear(limits.maxScoreRows());
        restartLongOnes();
        boolean preemptedNow = makeRoom();
        addDecodes(batch);
        addPrefills(batch);
        if (!preemptedNow && admit(preempted, batch)) {
            admit(waiting, batch);
        }
        if (batch.numTokens() == 0 && !isIdle() && !anyAwaitsItsEnd()) {
            throw new IllegalStateException(
                    "no sequence can run: running=" + numRunning + " waiting=" + waiting());
        }
        return batch.numTokens() > 0;
    }

    /** True if a running sequence has nothing to compute: the step under way is its last. */
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
        for (int i = 0; i < batch.numSeqs(); i++) {
            batch.sequence(i).computed += batch.tokensOf(i);
        }
        for (int row = 0; row < batch.numRows(); row++) {
            if (batch.rowForced[row] == Batch.DRAW) {
                Sequence sequence = batch.sequence(batch.rowSequence[row]);
                sequence.drawing++;
                sequence.drawingRow = row;
            }
        }
    }

    /** What has outgrown one set of angles is computed again in its own blocks. */
    private void restartLongOnes() {
        for (int i = 0; i < numRunning; i++) {
            Sequence sequence = running(i);
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
            while (!sequence.table.grow(pool, sequence.cachedLength())) {
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

    /** Least recomputation, the youngest among equals. The asking one is never protected. */
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

    private static boolean isCheaper(Sequence a, Sequence b) {
        return a.computed != b.computed ? a.computed < b.computed : a.order > b.order;
    }

    private boolean isProtected(Sequence sequence) {
        return sequence.preemptions >= limits.maxPreemptions();
    }

    private void preempt(Sequence sequence) {
        removeRunning(sequence);
        sequence.table.release(pool);
        sequence.computed = 0;
        sequence.preemptions++;
        sequence.passedOver = 0;
        preempted.addInOrder(sequence);
        preemptions++;
    }

    private void addDecodes(Batch batch) {
        for (int i = 0; i < numRunning; i++) {
            if (running(i).pending() == 1) {
                batch.add(running(i), 1);
            }
        }
    }

    /**
     * Shares what is left among the prompts under way and one newcomer: none starves the others.
     */
    private void addPrefills(Batch batch) {
        int sharers = waiting() > 0 && numRunning < limits.maxNumSeqs() ? 1 : 0;
        for (int i = 0; i < numRunning; i++) {
            sharers += running(i).pending() > 1 ? 1 : 0;
        }
        for (int i = 0; i < numRunning && batch.tokensLeft() > 0; i++) {
            Sequence sequence = running(i);
            if (sequence.pending() > 1) {
                int share = Math.max(MIN_SHARED_CHUNK, batch.tokensLeft() / sharers--);
                batch.add(sequence, Math.min(sequence.pending(), share));
            }
        }
    }

    /**
     * Starts what fits, passing over what does not; false if nothing after this queue may start.
     */
    private boolean admit(WaitingQueue queue, Batch batch) {
        int passed = 0;
        while (passed < Math.min(queue.size(), SCAN)) {
            if (numRunning == limits.maxNumSeqs() || batch.tokensLeft() == 0) {
                return false;
            }
            Sequence sequence = queue.get(passed);
            if (reserve(sequence)) {
                queue.removeAt(passed);
                start(sequence, batch);
                if (overtake(queue, passed)) {
                    return false;
                }
            } else if (sequence.passedOver >= limits.maxPassedOver()) {
                return false;
            } else {
                passed++;
            }
        }
        return true;
    }

    private boolean reserve(Sequence sequence) {
        int tokens = isProtected(sequence) ? sequence.maxCachedTokens() : sequence.cachedLength();
        int spare = numRunning == 0 ? 0 : limits.watermarkBlocks();
        return sequence.table.missingFor(tokens) + spare <= pool.available()
                && sequence.table.grow(pool, tokens);
    }

    /** The first ones of a queue, and all preempted ones, were overtaken; true if one too often. */
    private boolean overtake(WaitingQueue queue, int count) {
        boolean tooOften = queue == waiting && overtake(preempted, preempted.size());
        for (int i = 0; i < Math.min(count, SCAN); i++) {
            tooOften |= ++queue.get(i).passedOver >= limits.maxPassedOver();
        }
        return tooOften;
    }

    private void start(Sequence sequence, Batch batch) {
        running[numRunning++] = sequence;
        sequence.isLong = isLong(sequence);
        if (sequence.request.pooled != null) {
            sequence.sum = freeSums[--numFreeSums];
        }
        sequence.request.markStarted(clock.getAsLong());
        batch.add(sequence, sequence.pending());
    }

    private boolean removeRunning(Sequence sequence) {
        for (int i = 0; i < numRunning; i++) {
            if (running[i] == sequence) {
                System.arraycopy(running, i + 1, running, i, numRunning - i - 1);
                running[--numRunning] = null;
                if (sequence.request.pooled != null) {
                    freeSums[numFreeSums++] = sequence.sum;
                }
                return true;
            }
        }
        return false;
    }
}
