package io.cortado.gang;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * Ranks within one process. What a rank sends lies in a mailbox of the pair until the rank after
 * the next exchange, so that nobody waits for what it sent to be read: a rank that is in exchange n
 * + 1 has read all of exchange n, and mailboxes are two. A large part is lent instead: the other
 * rank copies it from where it is, and this one waits until it has.
 *
 * <p>A rank that {@linkplain Transport#serve serves} has no thread that waits: whoever waits for it
 * takes its steps, one rank's after another's, each of which may use all cores. So a gang in one
 * process costs neither wake-ups nor the turns of threads that share too few cores.
 */
public final class InProcessGang {
    private static final int MAX_RANKS = 64;
    private static final int SPINS = 50;

    /** To sleep and be woken costs more than that where a core is idle. */
    private static final long YIELD_NANOS = 100_000;

    private static final int NOBODY = -1;

    /** From there on to wait for the reader costs less than a second copy. */
    static final long LENT_BYTES = 64 << 10;

    /** Of memory that this one may read all may; a confined arena's is its own thread's. */
    private static final Thread ANY = Thread.ofPlatform().unstarted(() -> {});

    private final int size;
    private final Mailbox[] mailboxes;

    /** How many exchanges a rank has sent for. */
    private final AtomicLongArray sent;

    /** Who is parked, and for which rank. */
    private final AtomicReferenceArray<@Nullable Thread> parked;

    private final AtomicLongArray parkedFor;

    /** Ranks whose steps others take. */
    private final AtomicReferenceArray<@Nullable Served> served;

    private volatile @Nullable GangException failure;

    private InProcessGang(int size) {
        this.size = size;
        mailboxes = new Mailbox[2 * size * size];
        for (int i = 0; i < mailboxes.length; i++) {
            mailboxes[i] = new Mailbox();
        }
        sent = new AtomicLongArray(size);
        parked = new AtomicReferenceArray<>(size);
        parkedFor = new AtomicLongArray(size);
        served = new AtomicReferenceArray<>(size);
    }

    /** The ranks of a new gang, in their order; each is closed by its own. */
    public static Transport[] create(int size) {
        if (size < 1 || size > MAX_RANKS) {
            throw new IllegalArgumentException(
                    "a gang has 1 to %d ranks: size=%d".formatted(MAX_RANKS, size));
        }
        InProcessGang gang = new InProcessGang(size);
        Transport[] ranks = new Transport[size];
        for (int rank = 0; rank < size; rank++) {
            ranks[rank] = gang.new Rank(rank);
        }
        return ranks;
    }

    private Mailbox mailbox(int from, int to, long exchange) {
        return mailboxes[(int) ((exchange & 1) * size + from) * size + to];
    }

    private void fail(GangException why) {
        synchronized (this) {
            if (failure == null) {
                failure = why;
            }
        }
        wakeAll();
    }

    private void wakeAll() {
        for (int rank = 0; rank < size; rank++) {
            LockSupport.unpark(parked.get(rank));
            Served other = served.get(rank);
            if (other != null) {
                LockSupport.unpark(other.owner);
            }
        }
    }

    /** Takes a step of each rank whose exchange is complete; false: there is none. */
    private boolean takeSteps() {
        boolean hasTaken = false;
        for (int rank = 0; rank < size; rank++) {
            Served other = served.get(rank);
            hasTaken |= other != null && other.takeStep();
        }
        return hasTaken;
    }

    private void requireWhole() {
        GangException why = failure;
        if (why != null) {
            throw new GangException(why.kind(), String.valueOf(why.getMessage()), why);
        }
    }

    /** What one rank has for another in one exchange. */
    private static final class Mailbox {
        /** The part is here. */
        private static final int HERE = 0;

        /** It is where the sender has it, which waits until it is TAKEN or takes it back. */
        private static final int LENT = 1;

        private static final int IN_USE = 2;
        private static final int TAKEN = 3;
        private static final int TAKEN_BACK = 4;

        private final AtomicInteger state = new AtomicInteger();
        private MemorySegment memory = MemorySegment.NULL;
        private MemorySegment lent = MemorySegment.NULL;
        private long lentAt;
        private long bytes;
        private int kind;

        void put(int kind, Parts from, int to) {
            this.kind = kind;
            bytes = from.bytes(to);
            if (bytes >= LENT_BYTES && from.memory().isAccessibleBy(ANY)) {
                lent = from.memory();
                lentAt = from.offset(to);
                state.set(LENT);
                return;
            }
            if (bytes > memory.byteSize()) {
                // Not closed but left to the collector: a rank that failed may still read the old.
                memory = Arena.ofAuto().allocate(bytes, ValueLayout.JAVA_LONG.byteAlignment());
            }
            MemorySegment.copy(from.memory(), from.offset(to), memory, 0, bytes);
            state.set(HERE);
        }

        /** False: the sender has taken it back, for the gang has failed. */
        boolean take(int kind, Parts to, int from) {
            if (kind != this.kind) {
                throw new GangException(
                        GangException.Kind.MISMATCH,
                        "rank %d is in an exchange of kind=%d, this rank in one of kind=%d"
                                .formatted(from, this.kind, kind));
            }
            to.fill(from, bytes);
            if (state.get() == HERE) {
                MemorySegment.copy(memory, 0, to.memory(), to.offset(from), bytes);
            } else if (state.compareAndSet(LENT, IN_USE)) {
                try {
                    MemorySegment.copy(lent, lentAt, to.memory(), to.offset(from), bytes);
                } finally {
                    state.set(TAKEN);
                }
            } else {
                return false;
            }
            return true;
        }

        boolean isTaken() {
            int now = state.get();
            return now == HERE || now == TAKEN;
        }

        /** Afterwards nobody reads the sender's memory. */
        void takeBack() {
            if (!state.compareAndSet(LENT, TAKEN_BACK)) {
                while (state.get() == IN_USE) {
                    Thread.onSpinWait();
                }
            }
        }
    }

    /** A rank that serves. */
    private static final class Served {
        private final Rank rank;
        private final ExchangeSteps steps;
        private final Thread owner = Thread.currentThread();
        private final AtomicBoolean isInUse = new AtomicBoolean();
        private volatile long lastNanos = System.nanoTime();
        private volatile boolean isOver;
        private volatile @Nullable Throwable fault;

        Served(Rank rank, ExchangeSteps steps) {
            this.rank = rank;
            this.steps = steps;
        }

        /** Of an exchange that is complete; false: it is not, or another thread takes it. */
        boolean takeStep() {
            if (isOver || !rank.isComplete() || !isInUse.compareAndSet(false, true)) {
                return false;
            }
            boolean hasTaken = !isOver && rank.isComplete();
            try {
                if (hasTaken) {
                    rank.finish(steps.kind(), steps.receive(), 0);
                    isOver = !steps.next();
                    lastNanos = System.nanoTime();
                    if (!isOver) {
                        rank.begin(steps.kind(), steps.send());
                    }
                }
            } catch (RuntimeException | Error e) {
                fault = e;
                isOver = true;
            } finally {
                isInUse.set(false);
            }
            if (isOver) {
                LockSupport.unpark(owner);
            }
            return hasTaken;
        }

        /** Until the steps are over, the gang has failed, or no step has been taken for so long. */
        void await(long deadlineNanos) {
            while (!isOver && rank.isWhole()) {
                long left = lastNanos + deadlineNanos - System.nanoTime();
                if (left > 0) {
                    LockSupport.parkNanos(this, left);
                } else if (isInUse.compareAndSet(false, true)) {
                    isInUse.set(false);
                    rank.failLate(deadlineNanos);
                    lastNanos = System.nanoTime();
                } else { // a step that takes longer is no other rank's delay
                    LockSupport.parkNanos(this, deadlineNanos);
                }
            }
            while (!isInUse.compareAndSet(false, true)) { // and stays so: no step is taken any more
                Thread.yield();
            }
            rank.takeBack();
        }
    }

    private final class Rank implements Transport {
        private final int rank;

        /** Begun. */
        private volatile long exchanges;

        Rank(int rank) {
            this.rank = rank;
        }

        @Override
        public int rank() {
            return rank;
        }

        @Override
        public int size() {
            return size;
        }

        @Override
        public void exchange(int kind, Parts send, Parts receive, long deadlineNanos) {
            begin(kind, send);
            finish(kind, receive, deadlineNanos);
            while (takeSteps()) { // what ranks without a thread make of it
                continue;
            }
        }

        private void begin(int kind, Parts send) {
            requireWhole();
            long exchange = exchanges;
            for (int to = 0; to < size; to++) {
                mailbox(rank, to, exchange).put(kind, send, to);
            }
            exchanges = exchange + 1;
            sent.set(rank, exchange + 1);
            for (int peer = 0; peer < size; peer++) {
                wake(peer);
            }
        }

        private void finish(int kind, Parts receive, long deadlineNanos) {
            long exchange = exchanges - 1;
            boolean isOver = false;
            try {
                long start = System.nanoTime();
                for (int i = 0; i < size; i++) {
                    int from = (rank + i) % size;
                    await(from, exchange, false, start, deadlineNanos);
                    take(kind, receive, from, exchange);
                }
                for (int to = 0; to < size; to++) {
                    await(to, exchange, true, start, deadlineNanos);
                }
                isOver = true;
            } finally {
                if (!isOver) {
                    takeBack();
                }
            }
        }

        /** Of the exchange that has begun: nobody reads this rank's memory any more. */
        private void takeBack() {
            for (int to = 0; to < size; to++) {
                mailbox(rank, to, exchanges - 1).takeBack();
            }
        }

        /** Whether the exchange that has begun can be finished without waiting. */
        private boolean isComplete() {
            long exchange = exchanges - 1;
            for (int peer = 0; peer < size; peer++) {
                if (!isDone(peer, exchange, false) || !isDone(peer, exchange, true)) {
                    return false;
                }
            }
            return true;
        }

        private boolean isWhole() {
            return failure == null;
        }

        @Override
        public void serve(ExchangeSteps steps, long deadlineNanos) {
            if (!steps.computesOnCaller()) {
                Transport.super.serve(steps, deadlineNanos);
                return;
            }
            begin(steps.kind(), steps.send());
            Served own = new Served(this, steps);
            served.set(rank, own);
            wakeAll(); // who waits for this rank
            try {
                own.await(deadlineNanos);
            } finally {
                served.set(rank, null);
            }
            switch (own.fault) {
                case RuntimeException e -> throw e;
                case Error e -> throw e;
                case null, default -> {
                    if (!own.isOver) {
                        requireWhole();
                    }
                }
            }
        }

        /** If it waits for this rank. */
        private void wake(int peer) {
            if (parkedFor.get(peer) == rank) {
                LockSupport.unpark(parked.get(peer));
            }
        }

        private void take(int kind, Parts receive, int from, long exchange) {
            try {
                if (!mailbox(from, rank, exchange).take(kind, receive, from)) {
                    requireWhole();
                    throw new GangException(
                            GangException.Kind.ABORTED,
                            "rank %d has taken back what it sent".formatted(from));
                }
            } catch (GangException e) {
                fail(e);
                throw e;
            }
            wake(from);
        }

        /** Whether the peer has sent, or taken what was lent to it. */
        private boolean isDone(int peer, long exchange, boolean isTaking) {
            return isTaking ? mailbox(rank, peer, exchange).isTaken() : sent.get(peer) > exchange;
        }

        private void await(
                int peer, long exchange, boolean isTaking, long startNanos, long deadlineNanos) {
            for (int i = 0; i < SPINS; i++) {
                if (isDone(peer, exchange, isTaking)) {
                    return;
                }
                Thread.onSpinWait();
            }
            long until = startNanos + deadlineNanos;
            long yields = System.nanoTime() + Math.min(YIELD_NANOS, until - System.nanoTime());
            while (takeSteps() || System.nanoTime() - yields < 0) {
                if (isDone(peer, exchange, isTaking)) {
                    return;
                }
                Thread.yield();
            }
            parked.set(rank, Thread.currentThread());
            parkedFor.set(rank, peer);
            try {
                while (!isDone(peer, exchange, isTaking)) {
                    requireWhole();
                    if (takeSteps()) {
                        continue;
                    }
                    long left = until - System.nanoTime();
                    if (left <= 0) {
                        throw late(peer, exchange, deadlineNanos);
                    }
                    LockSupport.parkNanos(this, left);
                }
            } finally {
                parkedFor.set(rank, NOBODY);
            }
        }

        private GangException late(int peer, long exchange, long deadlineNanos) {
            GangException late =
                    new GangException(
                            GangException.Kind.DEADLINE,
                            "rank %d waited %d ms for rank %d in exchange %d"
                                    .formatted(rank, deadlineNanos / 1_000_000, peer, exchange));
            fail(late);
            return late;
        }

        /** Of a rank that serves: one that it waits for has not come. */
        private void failLate(long deadlineNanos) {
            long exchange = exchanges - 1;
            for (int peer = 0; peer < size; peer++) {
                if (!isDone(peer, exchange, false)) {
                    late(peer, exchange, deadlineNanos);
                    return;
                }
            }
        }

        @Override
        public void abort(String why) {
            fail(
                    new GangException(
                            GangException.Kind.ABORTED,
                            "rank %d has ended the gang: %s".formatted(rank, why)));
        }

        @Override
        public void close() {
            abort("it is closed");
        }
    }
}
