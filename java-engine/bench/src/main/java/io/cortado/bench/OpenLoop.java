package io.cortado.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.locks.LockSupport;

/**
 * Sends requests when their time has come, however the target does. Times count from the scheduled
 * moment, so that a stall is charged to every request that it delays (coordinated omission).
 */
final class OpenLoop {
    private static final long SPIN_NANOS = 200_000;

    /** One request: what came, and how much later than scheduled it was sent. */
    record Sent(Outcome outcome, long lagNanos) {
        double ttftMs() {
            return (lagNanos + outcome.firstNanos()) / 1e6;
        }

        double e2eMs() {
            return (lagNanos + outcome.endNanos()) / 1e6;
        }

        double tpotMs() {
            return outcome.tpotNanos() / 1e6;
        }
    }

    private OpenLoop() {}

    static List<Sent> run(Target target, long[] arrivals, List<int[]> prompts, int outputLen)
            throws InterruptedException, ExecutionException {
        try (ExecutorService callers = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<Sent>> running = new ArrayList<>();
            long start = System.nanoTime();
            for (int i = 0; i < arrivals.length; i++) {
                long scheduled = start + arrivals[i];
                int[] prompt = prompts.get(i);
                sleepUntil(scheduled);
                running.add(
                        callers.submit(() -> {
                            long lag = System.nanoTime() - scheduled;
                            return new Sent(target.run(prompt, outputLen), lag);
                        }));
            }
            List<Sent> sent = new ArrayList<>();
            for (Future<Sent> future : running) {
                sent.add(future.get());
            }
            return sent;
        }
    }

    private static void sleepUntil(long nanoTime) {
        for (long left = nanoTime - System.nanoTime();
                left > 0;
                left = nanoTime - System.nanoTime()) {
            if (left > SPIN_NANOS) {
                LockSupport.parkNanos(left - SPIN_NANOS);
            } else {
                Thread.onSpinWait();
            }
        }
    }
}
