package io.cortado.bench;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import org.junit.jupiter.api.Test;

class PoissonArrivalsTest {
    @Test
    void theSameSeedGivesTheSameArrivals() {
        long[] first = PoissonArrivals.schedule(100, 10, 42);
        assertArrayEquals(first, PoissonArrivals.schedule(100, 10, 42));
        assertNotEquals(
                Arrays.toString(first), Arrays.toString(PoissonArrivals.schedule(100, 10, 43)));
    }

    @Test
    void gapsAreExponentialWithTheAskedMean() {
        int count = 100_000;
        double rate = 8;
        long[] at = PoissonArrivals.schedule(count, rate, 7);
        double mean = at[count - 1] / 1e9 / (count - 1);
        assertEquals(1 / rate, mean, 0.02 / rate, "seed=7");
        long beyondMean = 0;
        for (int i = 1; i < count; i++) {
            assertTrue(at[i] >= at[i - 1], "seed=7 i=" + i);
            beyondMean += at[i] - at[i - 1] > 1e9 / rate ? 1 : 0;
        }
        assertEquals(Math.exp(-1), (double) beyondMean / (count - 1), 0.01, "seed=7");
    }

    @Test
    void anInfiniteRateSendsAllAtOnce() {
        assertArrayEquals(
                new long[] {0, 0, 0}, PoissonArrivals.schedule(3, Double.POSITIVE_INFINITY, 1));
    }

    @Test
    void aRateOrCountThatIsNotPositiveIsRefused() {
        assertThrows(IllegalArgumentException.class, () -> PoissonArrivals.schedule(0, 1, 1));
        assertThrows(IllegalArgumentException.class, () -> PoissonArrivals.schedule(1, 0, 1));
        assertThrows(
                IllegalArgumentException.class, () -> PoissonArrivals.schedule(1, Double.NaN, 1));
    }
}
