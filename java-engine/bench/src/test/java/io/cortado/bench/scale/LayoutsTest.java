package io.cortado.bench.scale;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Objects;
import org.junit.jupiter.api.Test;

class LayoutsTest {
    /** Units so that a byte read, an operation and a byte sent each take a second. */
    private static final Gpu UNIT = new Gpu(1, 1, 1, 1e9, 1, 1, 5, 7, 2);

    /** A layer of 8 attention parameters, 2 experts of 12 each, one chosen; no vocabulary. */
    private static final MoeModel SMALL = new MoeModel("small", 1, 2, 8, 3, 4, 1, 2, 1, 2, 0, 0, 2);

    private static Layouts layouts(Gpu gpu, MoeModel model, double balance, double maxStep) {
        return new Layouts(gpu, model, 10, balance, maxStep);
    }

    @Test
    void aStepOfOneGpuIsCountedByHand() {
        // One answer: 16 bytes of attention's weights, 10 tokens of 8 bytes, 10 pairs of 3
        // operations; of two experts one, 24 bytes. 16 + 80 + 24 seconds; two answers take longer.
        Layout one = Objects.requireNonNull(layouts(UNIT, SMALL, 1, 120).expertParallel());
        assertEquals(1, one.gpus());
        assertEquals(1, one.batch());
        assertEquals(120, one.stepSeconds(), 1e-9);
        assertNull(layouts(UNIT, SMALL, 1, 119).expertParallel());
    }

    @Test
    void exchangesTakeWhatTheyTakeBetweenNodesOrWithin() {
        assertEquals(5 + 8, UNIT.exchange(2, 8), 1e-12);
        assertEquals(7 + 8, UNIT.exchange(3, 8), 1e-12);
        assertEquals(0, UNIT.allReduce(1, 8), 1e-12);
        assertEquals(5 + 8, UNIT.allReduce(2, 8), 1e-12);
    }

    @Test
    void chancesOfChoicesAreThoseOfAllOfThem() {
        assertEquals(2, SMALL.touched(2, 1e9), 1e-9);
        assertEquals(1, SMALL.touched(2, 1), 1e-9);
        assertEquals(1, SMALL.destinations(2), 1e-9);
    }

    @Test
    void whatIsBetterNeverGivesLess() {
        for (MoeModel model : MoeModel.all()) {
            double last = 0;
            for (double ms : new double[] {30, 50, 100, 200}) {
                Layouts layouts = layouts(Gpu.H100, model, 0.95, ms / 1e3);
                double best = 0;
                Layout[] all = {
                    layouts.tensorParallel(), layouts.expertParallel(), layouts.disaggregated()
                };
                for (Layout layout : all) {
                    if (layout != null) {
                        best = Math.max(best, layout.perGpu());
                        assertTrue(layout.stepSeconds() <= ms / 1e3);
                        assertTrue(layout.idle() > -1e-9 && layout.idle() < 1, layout.text());
                    }
                }
                assertTrue(best >= last, model.name());
                last = best;
            }
            Layout even = Objects.requireNonNull(layouts(Gpu.H100, model, 1, 0.1).expertParallel());
            Layout uneven =
                    Objects.requireNonNull(layouts(Gpu.H100, model, 0.5, 0.1).expertParallel());
            assertTrue(even.perGpu() >= uneven.perGpu(), model.name());
        }
    }
}
