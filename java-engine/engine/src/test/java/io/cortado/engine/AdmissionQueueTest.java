package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.Scheduling;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

class AdmissionQueueTest {
    private final Door door = new Door(1 << 20, 1 << 20, 0);
    private long orders;

    private Sequence sequence(Scheduling scheduling) {
        door.enter(1, 8);
        RequestSpec spec = Requests.spec(Requests.prompt(8), 1, 8, 1);
        RequestSpec scheduled =
                new RequestSpec(
                        spec.prompt(),
                        1,
                        8,
                        1,
                        RowParams.RAW,
                        -1,
                        -1,
                        scheduling,
                        null,
                        null,
                        spec.stopRules());
        Sequence sequence = new Request(scheduled, door, 1000).sequences[0];
        sequence.order = orders++;
        return sequence;
    }

    private static Sequence first(AdmissionQueue queue) {
        queue.begin();
        Sequence sequence = queue.next();
        assertNotNull(sequence);
        queue.take();
        queue.end();
        return sequence;
    }

    @Test
    void ordersLikeASortedListThroughRandomUse() {
        Random random = new Random(Long.getLong("cortado.seed", 3));
        OrderedQueue queue = OrderedQueue.priority();
        List<Sequence> naive = new ArrayList<>();
        Comparator<Sequence> order =
                Comparator.<Sequence>comparingInt(s -> s.request.priority)
                        .thenComparingLong(s -> s.order);
        for (int step = 0; step < 20_000; step++) {
            switch (random.nextInt(4)) {
                case 0, 1 -> {
                    Sequence sequence = sequence(Scheduling.DEFAULT.priority(random.nextInt(20)));
                    queue.add(sequence);
                    naive.add(sequence);
                }
                case 2 -> {
                    if (!naive.isEmpty()) {
                        Sequence gone = naive.remove(random.nextInt(naive.size()));
                        assertTrue(queue.remove(gone));
                        assertFalse(queue.remove(gone));
                    }
                }
                default -> look(queue, naive, order, random);
            }
            assertEquals(naive.size(), queue.size());
        }
    }

    /** Passes over some and takes others, in order. */
    private static void look(
            OrderedQueue queue, List<Sequence> naive, Comparator<Sequence> order, Random random) {
        naive.sort(order);
        queue.begin();
        int at = 0;
        for (int i = 0; i < 5 && at < naive.size(); i++) {
            assertEquals(naive.get(at), queue.next());
            if (random.nextBoolean()) {
                queue.take();
                naive.remove(at);
            } else {
                at++;
            }
        }
        queue.end();
    }

    @Test
    void looksNoFurtherThanItsBound() {
        OrderedQueue queue = OrderedQueue.fcfs();
        for (int i = 0; i < 100; i++) {
            queue.add(sequence(Scheduling.DEFAULT));
        }
        queue.begin();
        for (int i = 0; i < AdmissionQueue.SCAN; i++) {
            assertNotNull(queue.next());
        }
        assertNull(queue.next());
    }

    @Test
    void servesTheEarliestDeadlineFirst() {
        OrderedQueue queue = OrderedQueue.deadline();
        Sequence late = sequence(Scheduling.DEFAULT.targets(500, 10));
        Sequence soon = sequence(Scheduling.DEFAULT.targets(20, 10));
        queue.add(late);
        queue.add(soon);
        assertTrue(queue.victimRank(late) > queue.victimRank(soon));
        assertEquals(soon, first(queue));
    }

    /** Two tenants of weights 2 and 1 who always wait: their tokens are as 2 to 1. */
    @Test
    void sharesByWeightUnderOverload() {
        FairQueue queue = new FairQueue(Map.of("large", 2.0));
        Random random = new Random(Long.getLong("cortado.seed", 9));
        double[] served = new double[2];
        for (int i = 0; i < 2_000; i++) {
            queue.add(sequence(Scheduling.DEFAULT.tenant(i % 2 == 0 ? "large" : "small")));
        }
        for (int turn = 0; turn < 1_200; turn++) {
            Sequence sequence = first(queue);
            int prompt = 1 + random.nextInt(200);
            int output = 1 + random.nextInt(100);
            queue.admitted(sequence, prompt);
            for (int t = 0; t < output; t++) {
                queue.generated(sequence);
            }
            queue.ended(sequence);
            served[sequence.request.tenant.equals("large") ? 0 : 1] += prompt + 2.0 * output;
        }
        assertEquals(2, served[0] / served[1], 0.1);
    }

    @Test
    void givesNoCreditForAbsence() {
        FairQueue queue = new FairQueue(Map.of());
        for (int i = 0; i < 10; i++) {
            queue.add(sequence(Scheduling.DEFAULT.tenant("old")));
        }
        for (int i = 0; i < 5; i++) {
            queue.admitted(first(queue), 1000);
        }
        queue.add(sequence(Scheduling.DEFAULT.tenant("new")));
        queue.add(sequence(Scheduling.DEFAULT.tenant("new")));
        assertEquals("new", first(queue).request.tenant);
        queue.add(sequence(Scheduling.DEFAULT.tenant("new")));
        int turnsOfNew = 0;
        for (int i = 0; i < 4; i++) {
            Sequence sequence = first(queue);
            queue.admitted(sequence, 1000);
            turnsOfNew += sequence.request.tenant.equals("new") ? 1 : 0;
        }
        assertEquals(2, turnsOfNew);
    }

    @Test
    void passesOverATenantWhoseNextDoesNotFit() {
        FairQueue queue = new FairQueue(Map.of());
        Sequence large = sequence(Scheduling.DEFAULT.tenant("a"));
        Sequence behind = sequence(Scheduling.DEFAULT.tenant("a"));
        Sequence other = sequence(Scheduling.DEFAULT.tenant("b"));
        queue.add(large);
        queue.add(behind);
        queue.add(other);
        queue.begin();
        assertEquals(large, queue.next());
        assertEquals(other, queue.next());
        queue.take();
        assertNull(queue.next());
        queue.end();
        assertEquals(2, queue.size());
        assertEquals(large, first(queue));
        assertTrue(queue.remove(behind));
        assertEquals(0, queue.size());
    }

    @Test
    void putsWhatWasThrownOutBeforeWhatNeverRan() {
        FairQueue queue = new FairQueue(Map.of());
        Sequence early = sequence(Scheduling.DEFAULT);
        Sequence later = sequence(Scheduling.DEFAULT);
        queue.add(early);
        queue.add(later);
        assertEquals(early, first(queue));
        queue.add(early);
        assertEquals(early, first(queue));
    }
}
