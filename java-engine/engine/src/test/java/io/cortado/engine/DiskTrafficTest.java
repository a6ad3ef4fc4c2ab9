package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.kv.KvCache;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** A disk that does not answer. */
class DiskTrafficTest {
    private static final int BLOCKS = 5;
    private static final int HOST_BLOCKS = 16;
    private static final int DISK_BLOCKS = 80;
    private static final int PROMPT = 60;
    private static final int OUTPUT = 4;

    private final KvCache cache = new KvCache(BLOCKS, HOST_BLOCKS, DISK_BLOCKS);
    private final Door door = new Door(2, 8, 0);
    private final Stuck executor = new Stuck();
    private final EngineLoop loop =
            new EngineLoop(
                    cache,
                    Limits.of(1, 64, BLOCKS),
                    OrderedQueue.fcfs(),
                    executor,
                    door,
                    () -> this.now);
    private long now = 1;

    private static final class Stuck extends SimulatedExecutor {
        boolean isStuck;

        Stuck() {
            super(1000, BLOCKS, HOST_BLOCKS, DISK_BLOCKS);
        }

        @Override
        public @Nullable Ended ended() {
            return isStuck ? null : super.ended();
        }
    }

    private Request put(int first) {
        int[] prompt = Requests.prompt(PROMPT);
        prompt[0] = first;
        door.enter(1, PROMPT);
        Request request = new Request(Requests.spec(prompt, 1, OUTPUT, first), door, now);
        loop.put(request);
        return request;
    }

    private static int tokens(Request request) {
        return request.sequences[0].answer.size();
    }

    private void turns(int count) {
        for (int i = 0; i < count; i++) {
            loop.step();
        }
    }

    @Test
    void aRequestWaitsForItForABoundedTime() {
        for (int first = 100; first < 112; first++) {
            Request request = put(first);
            turns(40);
            assertEquals(OUTPUT, tokens(request));
        }
        executor.isStuck = true;
        Request again = put(100);
        turns(20);
        assertEquals(0, tokens(again), "what it can use is being read");
        Request other = put(200);
        turns(20);
        assertEquals(OUTPUT, tokens(other), "others do not wait");
        now += TimeUnit.MILLISECONDS.toNanos(1_999);
        turns(20);
        assertEquals(0, tokens(again));
        now += TimeUnit.MILLISECONDS.toNanos(1);
        turns(20);
        assertEquals(OUTPUT, tokens(again), "it is computed instead");
        assertNull(again.failure());
        assertTrue(again.sequences[0].hasEnded());
    }
}
