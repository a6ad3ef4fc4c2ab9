package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import io.cortado.kv.BlockPool;
import io.cortado.kv.KvCache;
import java.lang.management.ManagementFactory;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SteadyStateAllocationTest {
    private static final int PROMPT = 32;
    private static final int OUTPUT = 1024;
    private static final int STEPS = 100;

    /** The JVM itself allocates a little now and then while it compiles: the least one counts. */
    private static final int WINDOWS = 10;

    @ParameterizedTest
    @ValueSource(ints = {64, 1024})
    void stepsWithoutAllocatingWhileAllSequencesDecode(int seqs) {
        int blocks = seqs * BlockPool.blocksFor(PROMPT + OUTPUT);
        Limits limits = Limits.of(seqs, seqs * PROMPT, blocks);
        Door door = new Door(seqs, 0, 0);
        long[] now = {1};
        SimulatedExecutor executor = new SimulatedExecutor(1000, blocks);
        EngineLoop loop =
                new EngineLoop(
                        new KvCache(blocks),
                        limits,
                        OrderedQueue.fcfs(),
                        executor,
                        door,
                        () -> now[0]++);
        for (int i = 0; i < seqs; i++) {
            loop.put(Requests.request(door, PROMPT, 1, OUTPUT, i));
        }
        for (int i = 0; i < 10; i++) {
            assertTrue(loop.step());
        }
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        threads.getCurrentThreadAllocatedBytes();
        long least = Long.MAX_VALUE;
        for (int window = 0; window < WINDOWS; window++) {
            long before = threads.getCurrentThreadAllocatedBytes();
            for (int i = 0; i < STEPS; i++) {
                loop.step();
            }
            least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
        }
        assertEquals(0, least, "bytes of " + STEPS + " steps");
        assertEquals(seqs, loop.counters().snapshot().running());
    }
}
