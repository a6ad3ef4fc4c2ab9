package io.cortado.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;

class OpenLoopTest {
    /** Answers nothing before all have come: a closed loop would never end. */
    private record Gate(CountDownLatch all) implements Target {
        @Override
        public Outcome run(int[] prompt, int outputLen) throws InterruptedException {
            all.countDown();
            all.await();
            return new Outcome(1_000_000, 5_000_000, outputLen, null);
        }

        @Override
        public int vocabSize() {
            return 10;
        }

        @Override
        public void close() {}
    }

    @Test
    void requestsAreSentOnTimeWhetherOrNotEarlierOnesHaveEnded() throws Exception {
        long[] arrivals = {0, 1_000_000, 2_000_000};
        List<int[]> prompts = List.of(new int[1], new int[1], new int[1]);
        List<OpenLoop.Sent> sent =
                OpenLoop.run(new Gate(new CountDownLatch(3)), arrivals, prompts, 5);
        assertEquals(3, sent.size());
        for (OpenLoop.Sent one : sent) {
            assertTrue(one.lagNanos() >= 0);
            assertEquals(one.lagNanos() / 1e6 + 1, one.ttftMs(), 1e-9);
            assertEquals(one.lagNanos() / 1e6 + 5, one.e2eMs(), 1e-9);
            assertEquals(1, one.tpotMs(), 1e-9);
        }
    }
}
