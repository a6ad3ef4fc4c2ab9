package io.cortado.device;

import java.util.List;

/** What threads that own native memory need of each other. */
public final class Threads {
    private Threads() {}

    /**
     * Waits for their end; an interrupt is kept for afterwards, since until then they use what is
     * closed behind this call.
     */
    public static void join(List<Thread> threads) {
        boolean isInterrupted = false;
        for (Thread thread : threads) {
            while (thread.isAlive()) {
                try {
                    thread.join();
                } catch (InterruptedException e) {
                    isInterrupted = true;
                }
            }
        }
        if (isInterrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
