package io.cortado.bench.pingpong;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.bench.pingpong.PingPongRun.Measured;
import io.cortado.bench.pingpong.PingPongRun.Setup;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PingPongRunTest {
    /** No rank waits for another for good, and nobody computes more than the time there is. */
    @ParameterizedTest
    @CsvSource({"1,1,1", "1,1,2", "2,2,3", "1,3,4", "3,1,2", "2,1,5"})
    @Timeout(60)
    void allRanksComeToAnEnd(int attention, int experts, int micro) throws InterruptedException {
        Setup setup = new Setup(attention, experts, micro, 5, 200_000, 300_000, 64);
        Measured measured = PingPongRun.measure(setup);
        assertTrue(measured.seconds() >= 5 * micro * 300e-6, "seconds=" + measured.seconds());
        for (double idle : new double[] {measured.attentionIdle(), measured.expertIdle()}) {
            assertTrue(idle >= 0 && idle < 1, "idle=" + idle);
        }
    }
}
