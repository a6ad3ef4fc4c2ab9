package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import io.cortado.kv.BlockPool;
import java.lang.management.ManagementFactory;
import org.junit.jupiter.api.Test;

class SteadyStateAllocationTest {
    private static final int SEQS = 64;
    private static final int STEPS = 1000;

    @Test
    void stepsWithoutAllocatingWhileAllSequencesDecode() {
        Limits limits = Limits.of(SEQS, 2048, 8192);
        Door door = new Door(SEQS, 0);
        long[] now = {1};
        SimulatedExecutor executor = new SimulatedExecutor(1000);
        EngineLoop loop =
                new EngineLoop(new BlockPool(8192), limits, executor, door, () -> now[0]++);
        for (int i = 0; i < SEQS; i++) {
            loop.put(Requests.request(door, 32, 1, 1024, i));
        }
        for (int i = 0; i < 10; i++) {
            assertTrue(loop.step());
        }
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        threads.getCurrentThreadAllocatedBytes();
        long before = threads.getCurrentThreadAllocatedBytes();
        for (int i = 0; i < STEPS; i++) {
            loop.step();
        }
        long bytes = threads.getCurrentThreadAllocatedBytes() - before;
        assertEquals(0, bytes / STEPS, "bytes of " + STEPS + " steps: " + bytes);
        assertEquals(SEQS, loop.counters().snapshot().running());
    }
}
