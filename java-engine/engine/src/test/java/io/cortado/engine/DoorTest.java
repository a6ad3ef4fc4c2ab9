package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.EngineException;
import org.junit.jupiter.api.Test;

class DoorTest {
    private static EngineException.Code refusal(Door door) {
        return assertThrows(EngineException.class, () -> door.enter(1, 5)).code();
    }

    @Test
    void aFailureStaysTheReasonWhenTheEngineIsThenDrained() {
        Door door = new Door(1, 1, 0);
        door.shut(new EngineException(EngineException.Code.CLOSED, "drains"));
        assertEquals(EngineException.Code.CLOSED, refusal(door));
        door.shut(new EngineException(EngineException.Code.DEVICE_LOST, "lost"));
        assertEquals(EngineException.Code.DEVICE_LOST, refusal(door));
        door.shut(new EngineException(EngineException.Code.CLOSED, "drains"));
        assertEquals(EngineException.Code.DEVICE_LOST, refusal(door));
    }

    @Test
    void boundsWhatWaitsAndNotWhatHasAPlace() throws InterruptedException {
        Door door = new Door(2, 1, 0);
        door.enter(2, 5);
        assertEquals(EngineException.Code.QUEUE_FULL, refusal(door));
        door.started(5);
        door.enter(1, 5);
        assertEquals(EngineException.Code.QUEUE_FULL, refusal(door));
        assertFalse(door.awaitEmpty(0));
        door.leave(2);
        door.started(5);
        door.leave(1);
        assertTrue(door.awaitEmpty(0));
    }

    @Test
    void boundsTheTokensThatWaitAndTellsTheNumbers() throws InterruptedException {
        Door door = new Door(64, 64, 100);
        door.enter(1, 500); // alone it may be longer than all that may wait
        EngineException full = assertThrows(EngineException.class, () -> door.enter(1, 7));
        assertEquals(EngineException.Code.QUEUE_FULL, full.code());
        assertEquals(
                "too many prompt tokens wait: waiting_tokens=500 prompt_tokens=7 limit=100",
                full.getMessage());
        door.started(500);
        door.enter(4, 93);
        door.enter(1, 7);
        assertEquals(EngineException.Code.QUEUE_FULL, refusal(door));
        assertEquals(100, door.waitingTokens());
        assertEquals(2, door.refusedByTokens());
        assertEquals(0, door.refusedByRequests());
        door.started(93);
        door.enter(1, 93);
        door.started(7);
        door.started(93);
        assertEquals(0, door.waitingTokens());
    }
}
