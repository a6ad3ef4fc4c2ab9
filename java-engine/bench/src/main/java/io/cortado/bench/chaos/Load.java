package io.cortado.bench.chaos;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/** All clients: they run, are held back so that the server can be looked at, and run again. */
final class Load {
    private final int port;
    private final Tally tally = new Tally();
    private final long stallNanos;
    private final ReentrantReadWriteLock gate = new ReentrantReadWriteLock(true);
    private final Set<HttpSocket> open = ConcurrentHashMap.newKeySet();
    private final List<Thread> threads = new ArrayList<>();
    private volatile boolean isHolding;
    private volatile boolean isCutting;
    private volatile boolean isTerminating;
    private volatile boolean isOver;

    /**
     * @param slowReaderMs after which the server gives a client up that does not read
     */
    Load(int port, long slowReaderMs) {
        this.port = port;
        stallNanos = TimeUnit.MILLISECONDS.toNanos(2 * slowReaderMs);
    }

    void start(int clients, long seed, List<Canary> canaries) {
        for (int i = 0; i < clients; i++) {
            Mix mix = new Mix(seed * 1000 + i, canaries);
            Client client = new Client(this, mix, i);
            threads.add(Thread.ofVirtual().name("client-" + i).start(client));
        }
    }

    int port() {
        return port;
    }

    Tally tally() {
        return tally;
    }

    /** Time for which a client that does not read waits: longer than the server does. */
    long stallNanos() {
        return stallNanos;
    }

    /** Who does not read had better leave. */
    boolean isHolding() {
        return isHolding;
    }

    /** Connections break because they are cut here. */
    boolean isCutting() {
        return isCutting;
    }

    boolean isTerminating() {
        return isTerminating;
    }

    boolean goesOn() {
        return !isOver;
    }

    /** A request begins; waits while the load is held. */
    void enter() throws InterruptedException {
        gate.readLock().lockInterruptibly();
    }

    void leave() {
        gate.readLock().unlock();
    }

    void watch(HttpSocket socket) {
        open.add(socket);
    }

    void unwatch(HttpSocket socket) {
        open.remove(socket);
    }

    /**
     * Holds all clients until {@link #release}, on the same thread; none has a request under way
     * then.
     *
     * @param cuts every connection is cut first, in the middle of whatever it does; else only those
     *     that do not read are
     */
    void hold(boolean cuts) {
        isHolding = true;
        if (cuts) {
            isCutting = true;
            open.forEach(Load::cut);
        }
        gate.writeLock().lock();
    }

    private static void cut(HttpSocket socket) {
        try {
            socket.close();
        } catch (IOException e) { // it is gone already
        }
    }

    void release() {
        isHolding = false;
        isCutting = false;
        gate.writeLock().unlock();
    }

    /** From now on the server may refuse and close. */
    void terminating() {
        isTerminating = true;
    }

    /** No more requests; returns when the last has ended. */
    void end() throws InterruptedException {
        isOver = true;
        for (Thread thread : threads) {
            thread.join();
        }
    }
}
