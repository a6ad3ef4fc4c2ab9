package io.cortado.bench.chaos;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class FitTest {
    @Test
    void findsTheLineUnderAlternatingNoise() {
        Fit fit = new Fit();
        for (int i = 0; i < 100; i++) {
            fit.add(i, 1000 + 3 * i + (i % 2 == 0 ? 5 : -5));
        }
        assertEquals(3, fit.slope(), 0.01);
        assertEquals(3 * 99, fit.gain(), 1);
    }

    @Test
    void leavesTheWarmUpOut() {
        Fit fit = new Fit();
        for (int i = 0; i <= 10; i++) {
            fit.add(50 + i, i < 4 ? i * 1000 : 4000);
        }
        assertEquals(7, fit.after(0.4).size());
        assertEquals(0, fit.after(0.4).gain(), 1e-9);
        assertEquals(4000, fit.after(0.4).mean(), 1e-9);
    }

    @Test
    void isFlatWhereNoLineIsDetermined() {
        Fit fit = new Fit();
        assertEquals(0, fit.gain());
        fit.add(5, 17);
        assertEquals(0, fit.slope());
        assertEquals(1, fit.after(0.4).size());
    }
}
