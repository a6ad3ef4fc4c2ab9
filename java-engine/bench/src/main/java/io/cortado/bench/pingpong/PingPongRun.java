package io.cortado.bench.pingpong;

import io.cortado.gang.GangException;
import io.cortado.gang.InProcessGang;
import io.cortado.gang.Parts;
import io.cortado.gang.Transport;
import io.cortado.moe.PingPong;
import io.cortado.moe.PingPong.Exchange;
import io.cortado.moe.PingPong.Way;
import java.lang.foreign.Arena;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.IntStream;

/**
 * A step on ranks of one process: each has a thread that computes, by waiting for as long as it
 * would take, and one that exchanges, in the order of {@link PingPong}.
 */
public final class PingPongRun {
    private static final long DEADLINE_NANOS = TimeUnit.SECONDS.toNanos(60);

    private final Setup setup;
    private final PingPong order;

    /**
     * @param attentionNanos of a layer and a micro-batch, on each rank with attention
     * @param expertNanos the same on each rank with experts
     * @param pairBytes that go from each rank of one side to each of the other
     */
    public record Setup(
            int attentionRanks,
            int expertRanks,
            int microBatches,
            int layers,
            long attentionNanos,
            long expertNanos,
            int pairBytes) {
        int ranks() {
            return attentionRanks + expertRanks;
        }
    }

    /**
     * Parts of the step's time.
     *
     * @param attentionIdle in which ranks with attention did not compute, on average
     * @param expertIdle the same of ranks with experts
     */
    public record Measured(double seconds, double attentionIdle, double expertIdle) {
        /** Of both sides. */
        public double idle() {
            return (attentionIdle + expertIdle) / 2;
        }
    }

    private PingPongRun(Setup setup) {
        this.setup = setup;
        order = new PingPong(setup.layers, setup.microBatches);
    }

    /**
     * Runs a step.
     *
     * @throws GangException if a rank fails or does not come in time
     */
    public static Measured measure(Setup setup) throws InterruptedException {
        return new PingPongRun(setup).run();
    }

    private Measured run() throws InterruptedException {
        Transport[] gang = InProcessGang.create(setup.ranks());
        CountDownLatch start = new CountDownLatch(1);
        try (Arena arena = Arena.ofShared();
                ExecutorService pool = Executors.newCachedThreadPool()) {
            Rank[] ranks =
                    IntStream.range(0, setup.ranks())
                            .mapToObj(rank -> new Rank(rank, gang[rank], arena))
                            .toArray(Rank[]::new);
            Future<?>[] running = new Future<?>[2 * ranks.length];
            for (int rank = 0; rank < ranks.length; rank++) {
                Rank own = ranks[rank];
                running[2 * rank] = pool.submit(() -> own.guarded(start, own::compute));
                running[2 * rank + 1] = pool.submit(() -> own.guarded(start, own::exchange));
            }
            long begin = System.nanoTime();
            start.countDown();
            for (Future<?> future : running) {
                future.get();
            }
            return measured(ranks, System.nanoTime() - begin);
        } catch (ExecutionException e) {
            throw e.getCause() instanceof GangException lost
                    ? lost
                    : new IllegalStateException("a rank failed: " + e.getCause(), e);
        } finally {
            for (Transport transport : gang) {
                transport.close();
            }
        }
    }

    private Measured measured(Rank[] ranks, long nanos) {
        double attention = 0;
        double experts = 0;
        for (Rank rank : ranks) {
            if (rank.hasAttention) {
                attention += (double) rank.busyNanos / setup.attentionRanks;
            } else {
                experts += (double) rank.busyNanos / setup.expertRanks;
            }
        }
        return new Measured(nanos / 1e9, 1 - attention / nanos, 1 - experts / nanos);
    }

    private final class Rank {
        private final Transport transport;
        private final boolean hasAttention;
        private final Parts dispatchSend;
        private final Parts combineSend;
        private final Parts receive;
        private long busyNanos;

        // Guarded by this: how many items are through.
        private int computed;
        private int dispatched;
        private int combined;
        private boolean hasFailed;

        Rank(int rank, Transport transport, Arena arena) {
            this.transport = transport;
            hasAttention = rank < setup.attentionRanks;
            dispatchSend = parts(arena);
            combineSend = parts(arena);
            receive = parts(arena);
            for (int peer = 0; peer < setup.ranks(); peer++) {
                if (hasAttention != peer < setup.attentionRanks) {
                    (hasAttention ? dispatchSend : combineSend).fill(peer, setup.pairBytes);
                }
            }
        }

        private Parts parts(Arena arena) {
            long bytes = (long) setup.pairBytes * setup.ranks();
            return Parts.even(arena.allocate(bytes), setup.ranks(), setup.pairBytes);
        }

        /** What fails on one thread ends the gang, and so all others. */
        void guarded(CountDownLatch start, Work work) {
            boolean isDone = false;
            try {
                start.await();
                work.run();
                isDone = true;
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            } finally {
                if (!isDone) {
                    transport.abort("a thread of a rank has ended");
                    fail();
                }
            }
        }

        private synchronized void fail() {
            hasFailed = true;
            notifyAll();
        }

        void compute() throws InterruptedException {
            long nanos = hasAttention ? setup.attentionNanos : setup.expertNanos;
            for (int item = 0; item < order.items(); item++) {
                awaitInput(item);
                long begin = System.nanoTime();
                long left = nanos;
                while (left > 0) {
                    LockSupport.parkNanos(left);
                    left = begin + nanos - System.nanoTime();
                }
                busyNanos += System.nanoTime() - begin;
                synchronized (this) {
                    computed++;
                    notifyAll();
                }
            }
        }

        private synchronized void awaitInput(int item) throws InterruptedException {
            while (!hasFailed
                    && (hasAttention ? combined <= order.neededBy(item) : dispatched <= item)) {
                wait();
            }
            requireWhole();
        }

        private void requireWhole() {
            if (hasFailed) {
                throw new GangException(GangException.Kind.ABORTED, "a rank has failed");
            }
        }

        void exchange() throws InterruptedException {
            for (int number = 0; number < order.exchanges(); number++) {
                Exchange exchange = order.exchange(number);
                boolean isDispatch = exchange.way() == Way.DISPATCH;
                if (isDispatch == hasAttention) {
                    awaitComputed(exchange.item());
                }
                transport.exchange(
                        exchange.way().ordinal(),
                        isDispatch ? dispatchSend : combineSend,
                        receive,
                        DEADLINE_NANOS);
                synchronized (this) {
                    dispatched += isDispatch ? 1 : 0;
                    combined += isDispatch ? 0 : 1;
                    notifyAll();
                }
            }
        }

        private synchronized void awaitComputed(int item) throws InterruptedException {
            while (!hasFailed && computed <= item) {
                wait();
            }
            requireWhole();
        }
    }

    private interface Work {
        void run() throws InterruptedException;
    }
}
