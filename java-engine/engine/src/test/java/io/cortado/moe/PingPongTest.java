package io.cortado.moe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.layout.Pipeline;
import io.cortado.moe.PingPong.Exchange;
import io.cortado.moe.PingPong.Way;
import java.util.Arrays;
import java.util.BitSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PingPongTest {
    private static final int LAYERS = 400;

    /** Both sides and the exchanges between them, on a clock of their own. */
    private static final class Clock {
        private final PingPong order;
        private final double attention;
        private final double experts;
        private final double way;
        private final double[] attentionDone;
        private final double[] expertsDone;
        private final double[] thereAt;
        private final double[] backAt;

        Clock(PingPong order, double attention, double experts, double way) {
            this.order = order;
            this.attention = attention;
            this.experts = experts;
            this.way = way;
            attentionDone = unknown();
            expertsDone = unknown();
            thereAt = unknown();
            backAt = unknown();
        }

        private double[] unknown() {
            double[] times = new double[order.items()];
            Arrays.fill(times, Double.NaN);
            return times;
        }

        /** Time of a layer; exchanges are barriers and one is under way at a time. */
        double run() {
            double exchanged = 0;
            for (int number = 0; number < order.exchanges(); number++) {
                Exchange exchange = order.exchange(number);
                int item = exchange.item();
                if (exchange.way() == Way.DISPATCH) {
                    computeAttention(item);
                    exchanged = Math.max(exchanged, attentionDone[item]) + way;
                    thereAt[item] = exchanged;
                } else {
                    computeExperts(item);
                    exchanged = Math.max(exchanged, expertsDone[item]) + way;
                    backAt[item] = exchanged;
                }
            }
            return exchanged / LAYERS;
        }

        private void computeAttention(int item) {
            int needed = order.neededBy(item);
            double from = needed < 0 ? 0 : backAt[needed];
            assertTrue(from >= 0, "attention waits for what comes after it: item=" + item);
            double free = item == 0 ? 0 : attentionDone[item - 1];
            attentionDone[item] = Math.max(from, free) + attention;
        }

        private void computeExperts(int item) {
            double from = thereAt[item];
            assertTrue(from >= 0, "experts wait for what comes after them: item=" + item);
            double free = item == 0 ? 0 : expertsDone[item - 1];
            expertsDone[item] = Math.max(from, free) + experts;
        }
    }

    private static double layer(int micro, double attention, double experts, double way) {
        return new Clock(new PingPong(LAYERS, micro), attention, experts, way).run();
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5, 8})
    void everyItemGoesThereAndBackOnceAndInOrder(int micro) {
        for (int layers : new int[] {1, 2, 7}) {
            PingPong order = new PingPong(layers, micro);
            BitSet there = new BitSet();
            BitSet back = new BitSet();
            for (int number = 0; number < order.exchanges(); number++) {
                Exchange exchange = order.exchange(number);
                BitSet way = exchange.way() == Way.DISPATCH ? there : back;
                assertEquals(way.cardinality(), exchange.item());
                way.set(exchange.item());
                assertTrue(there.cardinality() >= back.cardinality());
                // A micro-batch has one item on its way, so one buffer for each is enough.
                assertTrue(there.cardinality() - back.cardinality() <= micro);
            }
            assertEquals(layers * micro, there.cardinality());
            assertEquals(layers * micro, back.cardinality());
        }
    }

    @Test
    void oneMicroBatchLeavesBothSidesWaiting() {
        assertEquals(5 + 3 + 2 * 0.5, layer(1, 5, 3, 0.5), 0.05);
    }

    @Test
    void twoHideComputingButNotTheExchange() {
        assertEquals(2 * 5, layer(2, 5, 5, 0), 0.05);
        assertEquals(2 * 5, layer(2, 5, 4, 0), 0.05);
        assertEquals(2 * (5 + 2 * 0.5), layer(2, 5, 5, 0.5), 0.05);
    }

    @ParameterizedTest
    @ValueSource(ints = {3, 4, 5})
    void threeOrMoreHideTheExchangeToo(int micro) {
        for (double experts : new double[] {4, 5, 6}) {
            double longest = Math.max(5, experts);
            assertEquals(micro * longest, layer(micro, 5, experts, 1.9), 0.2);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4})
    void thePlannersCountIsKeptOrNearlySo(int micro) {
        for (double experts : new double[] {2, 4, 5, 6, 10}) {
            for (double way : new double[] {0, 0.2, 1}) {
                double counted = new Pipeline(5, experts, way, way).layer(micro);
                double taken = layer(micro, 5, experts, way);
                assertTrue(taken >= counted - 0.01, "faster than can be: " + taken);
                // Barriers cannot be under way both ways at once.
                assertTrue(
                        taken <= counted + micro * 2 * way + 0.1,
                        "micro=%d experts=%s way=%s: %s, counted %s"
                                .formatted(micro, experts, way, taken, counted));
            }
        }
    }

    @Test
    void itemsAreNumberedLayerByLayer() {
        PingPong order = new PingPong(3, 4);
        assertEquals(12, order.items());
        assertEquals(2, order.layerOf(9));
        assertEquals(1, order.microBatchOf(9));
        assertEquals(5, order.neededBy(9));
        assertThrows(IllegalArgumentException.class, () -> new PingPong(0, 1));
        assertThrows(IllegalArgumentException.class, () -> new PingPong(1, 0));
    }
}
