package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.kv.KvCache;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

class SchedulerTest {
    private final Door door = new Door(1000, 1000, 0);
    private final SimulatedExecutor executor = new SimulatedExecutor(1000, 200);
    private int prompts;

    /** A prompt that shares nothing with others. */
    private Sequence add(Scheduler scheduler, int prompt, int maxOutput) {
        return add(scheduler, prompt, maxOutput, 0);
    }

    private Sequence add(Scheduler scheduler, int prompt, int maxOutput, int priority) {
        int[] ids = Requests.prompt(prompt);
        ids[0] = 100 + prompts++;
        door.enter(1, prompt);
        Sequence sequence =
                new Request(Requests.spec(ids, maxOutput, priority), door, 1).sequences[0];
        scheduler.add(sequence);
        return sequence;
    }

    /** Runs the chosen batch; each row's token is appended. */
    private void run(Scheduler scheduler, Batch batch) {
        executor.submit(batch, new KvCache(1));
        scheduler.advance(batch);
        executor.await(batch);
        for (int row = 0; row < batch.numRows(); row++) {
            batch.sequence(batch.rowSequence[row]).append(batch, row);
        }
    }

    private static int tokensOf(Batch batch, Sequence sequence) {
        for (int i = 0; i < batch.numSeqs(); i++) {
            if (batch.sequence(i) == sequence) {
                return batch.tokensOf(i);
            }
        }
        return 0;
    }

    @Test
    void doesNothingWhenIdle() {
        Limits limits = Limits.of(4, 64, 100);
        Scheduler scheduler = new Scheduler(new KvCache(100), limits, OrderedQueue.fcfs(), () -> 1);
        assertFalse(scheduler.next(new Batch(limits)));
    }

    @Test
    void neverPausesADecodeForAPrefill() {
        Limits limits = Limits.of(4, 64, 100);
        Scheduler scheduler = new Scheduler(new KvCache(100), limits, OrderedQueue.fcfs(), () -> 1);
        Batch batch = new Batch(limits);
        Sequence decoding = add(scheduler, 10, 50);
        scheduler.next(batch);
        run(scheduler, batch);
        Sequence longPrompt = add(scheduler, 500, 5);
        for (int step = 0; step < 5; step++) {
            assertTrue(scheduler.next(batch));
            assertEquals(1, tokensOf(batch, decoding));
            assertEquals(63, tokensOf(batch, longPrompt));
            run(scheduler, batch);
        }
    }

    @Test
    void letsAShortPromptInBesideALongOne() {
        Limits limits = Limits.of(4, 256, 200);
        Scheduler scheduler = new Scheduler(new KvCache(200), limits, OrderedQueue.fcfs(), () -> 1);
        Batch batch = new Batch(limits);
        Sequence longPrompt = add(scheduler, 2000, 5);
        scheduler.next(batch);
        run(scheduler, batch);
        Sequence shortPrompt = add(scheduler, 20, 5);
        scheduler.next(batch);
        assertEquals(128, tokensOf(batch, longPrompt));
        assertEquals(20, tokensOf(batch, shortPrompt));
    }

    private static Sequence add(Scheduler scheduler, int prompt, int output, RowParams rules) {
        RequestSpec plain = Requests.spec(Requests.prompt(prompt), 1, output, 1);
        RequestSpec spec =
                new RequestSpec(
                        plain.prompt(),
                        1,
                        output,
                        1,
                        rules,
                        -1,
                        -1,
                        plain.scheduling(),
                        null,
                        null,
                        plain.stopRules());
        Door door = new Door(8, 8, 0);
        door.enter(1, prompt);
        Sequence sequence = new Request(spec, door, 1).sequences[0];
        scheduler.add(sequence);
        return sequence;
    }

    @Test
    void startsNoMoreThatAreCountedThanThereAreSlots() {
        Limits limits =
                new Limits(8, 512, 8, 3, 100, 0, Integer.MAX_VALUE, Limits.ANY_TIME, 1, 0, 0);
        Scheduler scheduler = new Scheduler(new KvCache(20), limits, OrderedQueue.fcfs(), () -> 1);
        Batch batch = new Batch(limits);
        Sequence first = add(scheduler, 10, 5, Requests.rules(0));
        Sequence second = add(scheduler, 10, 5, Requests.rules(0));
        Sequence plain = add(scheduler, 10, 5);
        scheduler.next(batch);
        assertEquals(10, tokensOf(batch, first));
        assertEquals(0, tokensOf(batch, second));
        assertEquals(10, tokensOf(batch, plain));
        assertTrue(batch.rowResets[0]);
        run(scheduler, batch);
        scheduler.remove(first);
        scheduler.next(batch);
        assertEquals(10, tokensOf(batch, second));
    }

    @Test
    void neverThrowsOutWhatCannotBeCountedAgain() {
        Limits limits = new Limits(8, 512, 8, 3, 2, 0, Integer.MAX_VALUE, Limits.ANY_TIME);
        KvCache cache = new KvCache(6);
        Scheduler scheduler = new Scheduler(cache, limits, OrderedQueue.fcfs(), () -> 1);
        Batch batch = new Batch(limits);
        Sequence kept = add(scheduler, 17, 30, Requests.rules(1));
        Sequence large = add(scheduler, 32, 30);
        scheduler.next(batch);
        assertEquals(3, kept.table.size(), "all that it can ever need");
        run(scheduler, batch);
        for (int i = 0; i < 20; i++) {
            scheduler.next(batch);
            run(scheduler, batch);
        }
        assertEquals(0, kept.preemptions);
        assertEquals(1, large.preemptions);
    }

    @Test
    void passesOverWhatDoesNotFitUntilItIsTooOld() {
        Limits limits = new Limits(8, 512, 8, 3, 2, 0, Integer.MAX_VALUE, Limits.ANY_TIME);
        Scheduler scheduler = new Scheduler(new KvCache(20), limits, OrderedQueue.fcfs(), () -> 1);
        Batch batch = new Batch(limits);
        add(scheduler, 160, 50);
        scheduler.next(batch);
        run(scheduler, batch);
        Sequence large = add(scheduler, 170, 5);
        Sequence[] small = new Sequence[4];
        for (int i = 0; i < small.length; i++) {
            small[i] = add(scheduler, 10, 5);
        }
        scheduler.next(batch);
        assertEquals(0, tokensOf(batch, large));
        assertEquals(10, tokensOf(batch, small[0]));
        assertEquals(10, tokensOf(batch, small[1]));
        assertEquals(0, tokensOf(batch, small[2]), "the large one was overtaken often enough");
        assertEquals(3, scheduler.waiting());
    }

    @Test
    void throwsOutTheSequenceThatIsCheapestToRecompute() {
        Limits limits = new Limits(8, 512, 8, 3, 2, 0, Integer.MAX_VALUE, Limits.ANY_TIME);
        KvCache cache = new KvCache(6);
        Scheduler scheduler = new Scheduler(cache, limits, OrderedQueue.fcfs(), () -> 1);
        Batch batch = new Batch(limits);
        Sequence large = add(scheduler, 64, 30);
        Sequence cheap = add(scheduler, 17, 30);
        scheduler.next(batch);
        run(scheduler, batch);
        assertEquals(0, cache.pool().available());
        scheduler.next(batch);
        assertEquals(1, cheap.preemptions);
        assertEquals(0, cheap.table.size());
        assertEquals(1, tokensOf(batch, large));
        assertEquals(1, scheduler.preemptions());
    }

    @Test
    void keepsAWatermarkFreeAtAdmissionUnlessNothingRuns() {
        Limits limits = new Limits(8, 512, 8, 3, 100, 2, Integer.MAX_VALUE, Limits.ANY_TIME);
        Scheduler scheduler = new Scheduler(new KvCache(6), limits, OrderedQueue.fcfs(), () -> 1);
        Batch batch = new Batch(limits);
        Sequence whole = add(scheduler, 80, 10);
        Sequence second = add(scheduler, 10, 5);
        scheduler.next(batch);
        assertEquals(80, tokensOf(batch, whole));
        assertEquals(0, tokensOf(batch, second));
        run(scheduler, batch);
        scheduler.remove(whole);
        scheduler.next(batch);
        assertEquals(10, tokensOf(batch, second));
    }

    /** However many prompts are under way, and whatever they leave of a step. */
    @Test
    void keepsAPartOfAStepBackForANewcomer() {
        Limits limits = Limits.of(8, 128, 400);
        Scheduler scheduler = new Scheduler(new KvCache(400), limits, OrderedQueue.fcfs(), () -> 1);
        Batch batch = new Batch(limits);
        for (int i = 0; i < 3; i++) {
            add(scheduler, 1000, 5);
            scheduler.next(batch);
            run(scheduler, batch);
        }
        Sequence newcomer = add(scheduler, 30, 5);
        scheduler.next(batch);
        assertEquals(30, tokensOf(batch, newcomer));
        assertEquals(94, batch.numTokens());
    }

    /** Every other step finds out whether it still lacks them. */
    @Test
    void keepsNothingBackInTheStepAfterANewcomerLackedBlocks() {
        Limits limits = new Limits(8, 128, 8, 3, 100, 0, Integer.MAX_VALUE, Limits.ANY_TIME);
        Scheduler scheduler = new Scheduler(new KvCache(70), limits, OrderedQueue.fcfs(), () -> 1);
        Batch batch = new Batch(limits);
        Sequence entering = add(scheduler, 1000, 5);
        scheduler.next(batch);
        run(scheduler, batch);
        add(scheduler, 500, 5);
        for (int step = 0; step < 4; step++) {
            scheduler.next(batch);
            assertEquals(step % 2 == 0 ? 64 : 128, tokensOf(batch, entering));
            run(scheduler, batch);
        }
    }

    /** It was refused, and no more blocks are free: but two that it needs are there by now. */
    @Test
    void startsWhatLackedBlocksOnceItsPrefixIsInTheCache() {
        Limits limits = new Limits(8, 512, 8, 3, 100, 0, Integer.MAX_VALUE, Limits.ANY_TIME);
        Scheduler scheduler = new Scheduler(new KvCache(6), limits, OrderedQueue.fcfs(), () -> 1);
        Batch batch = new Batch(limits);
        Sequence first = add(scheduler, 40, 8);
        scheduler.next(batch);
        int[] ids = first.prompt.clone();
        ids[39] = 7;
        int[] longer = Arrays.copyOf(ids, 64);
        door.enter(1, longer.length);
        Sequence second = new Request(Requests.spec(longer, 1, 1, 3), door, 1).sequences[0];
        scheduler.add(second);
        Batch other = new Batch(limits);
        scheduler.next(other);
        assertEquals(0, tokensOf(other, second), "three blocks are free and it needs four");
        run(scheduler, batch);
        scheduler.next(batch);
        assertEquals(64 - 32, tokensOf(batch, second), "two blocks are there already");
    }

    @Test
    void givesAVictimOfSoManyTimesAllItsBlocksAndNeverThrowsItOutAgain() {
        int k = 2;
        Limits limits = new Limits(8, 512, 8, k, 1000, 0, Integer.MAX_VALUE, Limits.ANY_TIME);
        KvCache cache = new KvCache(8);
        Scheduler scheduler = new Scheduler(cache, limits, OrderedQueue.priority(), () -> 1);
        Batch batch = new Batch(limits);
        Sequence victim = add(scheduler, 17, 80, 1);
        for (int times = 1; times <= k; times++) {
            Sequence large = add(scheduler, 60, 60, 0);
            while (large.answer.size() < 60) {
                scheduler.next(batch);
                run(scheduler, batch);
            }
            assertEquals(times, victim.preemptions);
            scheduler.remove(large);
        }
        scheduler.next(batch);
        assertEquals(6, victim.table.size(), "all of 17 + 79 tokens");
        run(scheduler, batch);
        Sequence large = add(scheduler, 33, 60, 0);
        while (victim.answer.size() < 80) {
            scheduler.next(batch);
            assertEquals(6, victim.table.size());
            assertEquals(0, tokensOf(batch, large), "two blocks are free and it needs three");
            run(scheduler, batch);
        }
        assertEquals(k, victim.preemptions);
    }

    @Test
    void computesASequenceAgainWhenItOutgrowsOneSetOfAngles() {
        Limits limits = Limits.of(4, 16, 100).otherAnglesAbove(20);
        Scheduler scheduler = new Scheduler(new KvCache(100), limits, OrderedQueue.fcfs(), () -> 1);
        Batch batch = new Batch(limits);
        Sequence growing = add(scheduler, 18, 10);
        Sequence longPrompt = add(scheduler, 21, 2);
        Sequence fitting = add(scheduler, 10, 11);
        int recomputed = 0;
        for (int step = 0; step < 20; step++) {
            if (!scheduler.next(batch)) {
                break;
            }
            for (int i = 0; i < batch.numSeqs(); i++) {
                Sequence sequence = batch.sequence(i);
                assertEquals(sequence.cachedLength() > 20, sequence.isLong);
                boolean isAgain = sequence == growing && growing.isLong;
                recomputed += isAgain ? batch.tokensOf(i) : 0;
            }
            run(scheduler, batch);
        }
        assertTrue(growing.isLong);
        assertTrue(longPrompt.isLong);
        assertFalse(fitting.isLong, "its last token is never computed: 20 are");
        assertEquals(18 + 9, recomputed, "all tokens once more, none of them twice");
        assertEquals(0, growing.preemptions);
    }
}
