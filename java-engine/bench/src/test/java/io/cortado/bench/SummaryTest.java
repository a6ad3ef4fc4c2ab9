package io.cortado.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;

class SummaryTest {
    @Test
    void percentilesInterpolateBetweenNeighbours() {
        Summary summary = Summary.of(new double[] {4, 1, 3, 2});
        assertEquals(1, summary.percentile(0));
        assertEquals(2.5, summary.median());
        assertEquals(3.7, summary.percentile(0.9), 1e-12);
        assertEquals(4, summary.percentile(1));
        assertEquals(2.5, summary.mean());
    }

    @Test
    void oneValueIsEveryPercentileAndHasNoSpread() {
        Summary summary = Summary.of(new double[] {7});
        assertEquals(7, summary.percentile(0.99));
        assertEquals(0, summary.spread());
    }

    @Test
    void spreadIsHalfTheMiddleEightyPercentOverTheMedian() {
        double[] sample = new double[101];
        for (int i = 0; i <= 100; i++) {
            sample[i] = 100 + i;
        }
        assertEquals(40.0 / 150, Summary.of(sample).spread(), 1e-12);
    }

    @Test
    void anEmptySampleAndAShareOutsideTheUnitAreRefused() {
        assertThrows(IllegalArgumentException.class, () -> Summary.of(new double[0]));
        Summary summary = Summary.of(new double[] {1});
        assertThrows(IllegalArgumentException.class, () -> summary.percentile(1.01));
        assertThrows(IllegalArgumentException.class, () -> summary.percentile(Double.NaN));
    }
}
