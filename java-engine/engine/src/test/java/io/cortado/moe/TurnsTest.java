package io.cortado.moe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 60, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class TurnsTest {
    private final AtomicBoolean isOver = new AtomicBoolean();
    private final Turns there = new Turns(isOver::get);
    private final Turns back = new Turns(isOver::get);
    private int value;

    /** Each waits for the other, awake or asleep; what was written before is seen. */
    @Test
    void waitsOnceForEachTime() throws Exception {
        Thread other =
                Thread.ofPlatform()
                        .start(() -> {
                            while (there.await()) {
                                value++;
                                back.done();
                            }
                        });
        for (int i = 1; i <= 2000; i++) {
            if (i % 100 == 0) {
                Thread.sleep(2); // the other sleeps as well
            }
            there.done();
            assertTrue(back.await());
            assertEquals(i, value);
        }
        isOver.set(true);
        there.wake();
        other.join();
        assertFalse(back.await(), "there will be none");
    }

    @Test
    void whatWasDoneBeforeIsNotWaitedFor() {
        there.done();
        there.done();
        assertTrue(there.await());
        assertTrue(there.await());
        isOver.set(true);
        assertFalse(there.await());
    }
}
