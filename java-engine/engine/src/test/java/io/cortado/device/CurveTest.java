package io.cortado.device;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class CurveTest {
    private static final Curve CURVE = new Curve(new double[] {1, 2, 4}, new double[] {3, 5, 6});

    @Test
    void goesStraightBetweenPointsAndOnBeyondTheLast() {
        assertEquals(3, CURVE.at(0.5));
        assertEquals(3, CURVE.at(1));
        assertEquals(4, CURVE.at(1.5));
        assertEquals(5, CURVE.at(2));
        assertEquals(5.5, CURVE.at(3));
        assertEquals(6, CURVE.at(4));
        assertEquals(7, CURVE.at(6));
        assertEquals(6, CURVE.within(6));
        assertEquals(9, Curve.constant(9).at(1000));
        assertEquals(2, new Curve(new double[] {1, 2}, new double[] {3, 2}).at(9));
    }

    @Test
    void refusesWhatIsNoCurve() {
        double[][][] wrong = {
            {{}, {}},
            {{1}, {1, 2}},
            {{2, 1}, {1, 1}},
            {{1, 1}, {1, 1}},
            {{0}, {1}},
            {{1}, {0}},
            {{1}, {Double.NaN}},
            {{Double.NaN}, {1}},
            {{1, Double.POSITIVE_INFINITY}, {1, 1}}
        };
        for (double[][] points : wrong) {
            assertThrows(IllegalArgumentException.class, () -> new Curve(points[0], points[1]));
        }
    }

    /** That they are measured at all; how fast a machine is no test can know. */
    @Test
    void aMeterGivesRatesOfEveryKindOfOperator() {
        Rate.Attention small = new Rate.Attention(2, 1, 32, 0, DType.F32, DType.F32);
        try (Device device = Device.open("cpu", 2, "auto")) {
            RateMeter meter = new RateMeter(device);
            for (Rate rate :
                    new Rate[] {
                        new Rate.Overhead(false),
                        new Rate.Turnaround(),
                        new Rate.Rows(Rate.RowOperation.ROPE, DType.BF16),
                        new Rate.Prefill(small),
                        new Rate.Decode(small, 4),
                        new Rate.Draw()
                    }) {
                Curve curve = meter.measure(rate);
                assertTrue(curve.at(1) > 0 && curve.at(1) < 1, rate.name() + " " + curve);
            }
        }
    }
}
