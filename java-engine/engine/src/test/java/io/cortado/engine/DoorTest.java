package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.EngineException;
import org.junit.jupiter.api.Test;

class DoorTest {
    private static EngineException.Code refusal(Door door) {
        return assertThrows(EngineException.class, () -> door.enter(1)).code();
    }

    @Test
    void aFailureStaysTheReasonWhenTheEngineIsThenDrained() {
        Door door = new Door(1, 1);
        door.shut(new EngineException(EngineException.Code.CLOSED, "drains"));
        assertEquals(EngineException.Code.CLOSED, refusal(door));
        door.shut(new EngineException(EngineException.Code.DEVICE_LOST, "lost"));
        assertEquals(EngineException.Code.DEVICE_LOST, refusal(door));
        door.shut(new EngineException(EngineException.Code.CLOSED, "drains"));
        assertEquals(EngineException.Code.DEVICE_LOST, refusal(door));
    }

    @Test
    void boundsWhatWaitsAndNotWhatHasAPlace() throws InterruptedException {
        Door door = new Door(2, 1);
        door.enter(2);
        assertEquals(EngineException.Code.QUEUE_FULL, refusal(door));
        door.started();
        door.enter(1);
        assertEquals(EngineException.Code.QUEUE_FULL, refusal(door));
        assertFalse(door.awaitEmpty(0));
        door.leave(2);
        door.started();
        door.leave(1);
        assertTrue(door.awaitEmpty(0));
    }
}
