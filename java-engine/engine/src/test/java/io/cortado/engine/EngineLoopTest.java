package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.cortado.api.EngineException;
import io.cortado.kv.KvCache;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class EngineLoopTest {
    private static final int BLOCKS = 16;
    private static final Limits LIMITS = Limits.of(2, 64, BLOCKS);

    private final KvCache cache = new KvCache(BLOCKS);
    private final Door door = new Door(2, 4, 0);

    /** Gives a block back under its owner's feet, and falls over. */
    private final class Disorder extends SimulatedExecutor {
        Disorder() {
            super(1000, BLOCKS);
        }

        @Override
        public void await(Batch batch) {
            cache.pool().giveBack(batch.sequence(0).table.block(0));
            throw new IllegalStateException("the device fell over");
        }
    }

    @Test
    void tellsEveryRequestOfTheEndAlsoWhereItsBlocksAreInDisorder() {
        EngineLoop loop =
                new EngineLoop(cache, LIMITS, OrderedQueue.fcfs(), new Disorder(), door, () -> 1);
        List<Request> requests = new ArrayList<>();
        for (int i = 0; i < 4; i++) { // two run, two wait
            requests.add(Requests.request(door, 20, 1, 8, i));
            loop.put(requests.getLast());
        }
        loop.run();
        EngineException why = loop.failure();
        assertNotNull(why);
        assertEquals(EngineException.Code.INTERNAL, why.code());
        assertEquals(1, why.getSuppressed().length);
        for (Request request : requests) {
            assertEquals(why, request.failure());
        }
        assertThrows(EngineException.class, door::requireOpen);
    }

    @Test
    void tellsARequestThatComesAfterTheEnd() {
        EngineLoop loop =
                new EngineLoop(
                        cache,
                        LIMITS,
                        OrderedQueue.fcfs(),
                        new SimulatedExecutor(1000, BLOCKS),
                        door,
                        () -> 1);
        loop.close();
        loop.run();
        Request late = request(door);
        loop.put(late);
        loop.put(late); // cancelled as well
        EngineException failure = late.failure();
        assertNotNull(failure);
        assertEquals(EngineException.Code.CLOSED, failure.code());
    }

    /** As one that came in just before the door was shut. */
    private static Request request(Door door) {
        return new Request(Requests.spec(Requests.prompt(3), 1, 5, 1), door, 1);
    }
}
