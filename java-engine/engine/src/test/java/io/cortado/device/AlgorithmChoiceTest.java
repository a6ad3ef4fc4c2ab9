package io.cortado.device;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

class AlgorithmChoiceTest {
    private long now;
    private final AlgorithmChoice<String, String> choice = new AlgorithmChoice<>(() -> now);

    /**
     * Algorithms with the nanoseconds that each takes; what was enqueued takes them at the wait.
     */
    private final class Fake implements AlgorithmChoice.Product<String> {
        final Map<String, Long> nanos = new TreeMap<>();
        final List<String> refused = new ArrayList<>();
        final List<String> enqueued = new ArrayList<>();
        int searches;
        private long pending;

        Fake(Map<String, Long> nanos) {
            this.nanos.putAll(nanos);
        }

        @Override
        public List<String> proposals() {
            searches++;
            return List.copyOf(nanos.keySet());
        }

        @Override
        public boolean enqueue(String algorithm) {
            if (refused.contains(algorithm)) {
                return false;
            }
            enqueued.add(algorithm);
            pending += nanos.getOrDefault(algorithm, 0L);
            return true;
        }

        @Override
        public void synchronize() {
            now += pending;
            pending = 0;
        }

        String last() {
            return enqueued.getLast();
        }
    }

    @Test
    void takesTheFastestAndNotTheFirst() {
        Fake product = new Fake(Map.of("a", 30L, "b", 10L, "c", 20L));
        assertTrue(choice.enqueue("shape", product, true));
        assertEquals("b", product.last());
    }

    @Test
    void aSlowWarmUpIsNotTimed() {
        Fake product = new Fake(Map.of("a", 10L, "b", 11L));
        now = 1000;
        product.pending = 1_000_000; // what the stream had still to run before the search
        assertTrue(choice.enqueue("shape", product, true));
        assertEquals("a", product.last());
    }

    @Test
    void searchesOnceAShape() {
        Fake product = new Fake(Map.of("a", 30L, "b", 10L));
        choice.enqueue("one", product, true);
        product.enqueued.clear();
        choice.enqueue("one", product, true);
        assertEquals(List.of("b"), product.enqueued);
        assertEquals(1, product.searches);
        choice.enqueue("two", product, true);
        assertEquals(2, product.searches);
    }

    @Test
    void timesNothingDuringCaptureAndStillServesKnownShapes() {
        Fake product = new Fake(Map.of("a", 30L));
        assertFalse(choice.enqueue("shape", product, false));
        assertEquals(0, product.searches);
        assertEquals(List.of(), product.enqueued);
        assertTrue(choice.enqueue("shape", product, true));
        product.enqueued.clear();
        assertTrue(choice.enqueue("shape", product, false));
        assertEquals(List.of("a"), product.enqueued);
        assertEquals(1, product.searches);
    }

    @Test
    void passesOverWhatIsRefusedInTheSearch() {
        Fake product = new Fake(Map.of("a", 1L, "b", 10L));
        product.refused.add("a");
        assertTrue(choice.enqueue("shape", product, true));
        assertEquals("b", product.last());
    }

    @Test
    void leavesAShapeThatNothingComputesToTheOwnKernels() {
        for (Map<String, Long> proposals : List.of(Map.<String, Long>of(), Map.of("a", 1L))) {
            Fake product = new Fake(proposals);
            product.refused.add("a");
            String shape = "shape of " + proposals;
            assertFalse(choice.enqueue(shape, product, true));
            assertFalse(choice.enqueue(shape, product, true));
            assertEquals(1, product.searches);
            assertEquals(List.of(), product.enqueued);
        }
    }

    @Test
    void aShapeWhoseAlgorithmIsLaterRefusedGoesToTheOwnKernelsForGood() {
        Fake product = new Fake(Map.of("a", 1L));
        assertTrue(choice.enqueue("shape", product, true));
        product.refused.add("a");
        assertFalse(choice.enqueue("shape", product, true));
        product.refused.clear();
        assertFalse(choice.enqueue("shape", product, true));
        assertEquals(1, product.searches);
    }
}
