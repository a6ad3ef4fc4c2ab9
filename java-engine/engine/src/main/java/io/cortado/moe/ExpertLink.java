package io.cortado.moe;

import io.cortado.gang.GangException;
import io.cortado.gang.Parts;
import io.cortado.gang.Transport;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * A rank's end of the gang that computes a model's experts: what the ranks tell each other before a
 * pass through the layers, and which rank has which experts.
 *
 * <p>A pass begins with a tick, into which all ranks enter: it tells who has tokens. Where anybody
 * has, an exchange follows for each layer and micro-batch that brings the tokens to their experts,
 * and one that brings the results back; ranks without tokens enter them as well. A tick is also
 * where a new placement comes into force: once all ranks with experts have told that they hold what
 * it wants of them, on all ranks at the same tick.
 */
public final class ExpertLink implements AutoCloseable {
    static final int HELLO = 1;
    static final int TICK = 2;
    static final int DISPATCH = 3;
    static final int RESULT = 4;

    /** What a rank with attention says at a tick. */
    static final long IDLE = 0;

    static final long PASS = 1;
    static final long STOP = 2;

    /**
     * Of a tick: what the rank says, its micro-batches, the number of the placement it speaks of,
     * its bytes.
     */
    private static final long HEAD_BYTES = 4 * Long.BYTES;

    private static final int SAYS = 0;
    private static final int MICRO_BATCHES = 1;
    private static final int NUMBER = 2;
    private static final int PLACEMENT_BYTES = 3;

    private final Transport transport;
    private final ExpertRanks ranks;
    private final MicroBatching microBatching;
    private final long deadlineNanos;
    private final long startNanos;
    private final int numExperts;
    private final MemorySegment said;
    private final Parts send;
    private final Parts receive;
    private final AtomicReference<@Nullable GangException> failure = new AtomicReference<>();
    private volatile Runnable onFailure = () -> {};

    /** By layer; changes at ticks only. */
    private volatile List<ExpertPlacement> placements;

    private volatile long number = 1;
    private final AtomicReference<@Nullable Proposal> proposed = new AtomicReference<>();
    private @Nullable Proposal coming;

    private volatile boolean hasStopped;

    /** Of the pass that the last tick has begun. */
    private int microBatchesOfPass;

    private final AtomicLong waitedNanos = new AtomicLong();

    /** What a rank with experts holds: the number of the placement that it is ready for. */
    private volatile long ready = 1;

    /**
     * A placement that is to come into force.
     *
     * @param number counts up
     */
    record Proposal(long number, List<ExpertPlacement> placements) {}

    /** What all ranks said at a tick. */
    enum Turn {
        /** Nobody has tokens. */
        IDLE,

        /** Somebody has. */
        PASS,

        /** A rank with attention has ended: there are no more. */
        STOP
    }

    /**
     * @param transport closed by this
     * @param placements of each layer with experts, the same on all ranks
     * @param microBatching the same on all ranks
     * @param deadlineNanos how long a rank waits for another in an exchange, which includes what
     *     the other computes before it
     * @param startNanos the same of the first exchange, which includes what others load
     */
    public ExpertLink(
            Transport transport,
            ExpertRanks ranks,
            List<ExpertPlacement> placements,
            MicroBatching microBatching,
            long deadlineNanos,
            long startNanos) {
        if (transport.size() != ranks.size()) {
            throw new IllegalArgumentException(
                    "the gang has another size: ranks=%d attention-ranks=%d expert-ranks=%d"
                            .formatted(transport.size(), ranks.attention(), ranks.experts()));
        }
        this.transport = transport;
        this.ranks = ranks;
        this.placements = List.copyOf(placements);
        this.microBatching = microBatching;
        this.deadlineNanos = deadlineNanos;
        this.startNanos = startNanos;
        numExperts = placements.getFirst().numExperts();
        long most = HEAD_BYTES + PlacementBytes.most(placements.size(), numExperts, ranks);
        said = Arena.ofAuto().allocate(most, Long.BYTES);
        send = new Parts(said, ranks.size());
        receive =
                Parts.even(
                        Arena.ofAuto().allocate(most * ranks.size(), Long.BYTES),
                        ranks.size(),
                        most);
        for (int rank = 0; rank < ranks.size(); rank++) {
            send.set(rank, 0, most);
        }
    }

    public ExpertRanks ranks() {
        return ranks;
    }

    /** Of a pass, at most. */
    public int microBatches() {
        return microBatching.most();
    }

    MicroBatching microBatching() {
        return microBatching;
    }

    /** Of the pass that the last tick has begun: as many as the rank with most of them has. */
    int microBatchesOfPass() {
        return microBatchesOfPass;
    }

    /** This rank's number in the gang. */
    public int rank() {
        return transport.rank();
    }

    /** Whether this rank computes experts; else it runs attention. */
    public boolean holdsExperts() {
        return !ranks.isAttention(transport.rank());
    }

    /** In which this rank computed nothing for want of others, since the start. Any thread. */
    public long waitedNanos() {
        return waitedNanos.get();
    }

    /** This rank has computed nothing since then. */
    void waitedSince(long startNanos) {
        waitedFor(System.nanoTime() - startNanos);
    }

    /** The same, of so long. */
    void waitedFor(long nanos) {
        waitedNanos.addAndGet(nanos);
    }

    Transport transport() {
        return transport;
    }

    long deadlineNanos() {
        return deadlineNanos;
    }

    long startNanos() {
        return startNanos;
    }

    /** Layers with experts. */
    int numLayers() {
        return placements.size();
    }

    /** In force, by layer. Any thread; they change at ticks alone. */
    public List<ExpertPlacement> placements() {
        return placements;
    }

    /** Why the gang has failed; null: it has not. Any thread. */
    public @Nullable GangException failure() {
        return failure.get();
    }

    /**
     * Is called once where the gang fails, by the thread that finds out, after {@link #failure}
     * tells it.
     */
    void onFailure(Runnable wake) {
        onFailure = wake;
    }

    /** Ends the gang, for all ranks that can be told. */
    public void abort(String why) {
        fail(new GangException(GangException.Kind.ABORTED, why));
    }

    /** This rank has said that it ends, or never began: who still waits for it need not. */
    public void end() {
        if (!hasStopped) {
            abort("rank %d has ended before its first step".formatted(transport.rank()));
        }
    }

    /** The gang is over, for all ranks that can be told. */
    void fail(Throwable fault) {
        GangException why =
                fault instanceof GangException known
                        ? known
                        : new GangException(
                                GangException.Kind.TRANSPORT,
                                "rank %d has failed: %s".formatted(transport.rank(), fault),
                                fault);
        if (failure.compareAndSet(null, why)) {
            transport.abort(String.valueOf(why.getMessage()));
            onFailure.run();
        }
    }

    /**
     * A placement to come into force when all ranks have what it wants of them; rank 0 alone. One
     * that is proposed meanwhile waits for its turn, in the place of one that waits already.
     */
    public void propose(List<ExpertPlacement> wanted) {
        if (transport.rank() != 0) {
            throw new IllegalStateException("rank 0 proposes: rank=" + transport.rank());
        }
        proposed.set(new Proposal(0, List.copyOf(wanted)));
    }

    /** The number of the placement in force, counted from 1. Any thread. */
    public long number() {
        return number;
    }

    /** The next placement, which this rank is to get ready for; null: none. */
    @Nullable Proposal coming() {
        return coming;
    }

    /** This rank holds what the placement of this number wants. Any thread. */
    void readyFor(long next) {
        ready = next;
    }

    /**
     * Tells all ranks what this one does next, and hears what they do.
     *
     * @param saying IDLE, PASS or STOP
     * @param ofPass micro-batches of this rank's pass; 0: it has none
     */
    Turn tick(long saying, int ofPass) {
        say(saying, ofPass);
        long start = System.nanoTime();
        transport.exchange(TICK, send, receive, deadlineNanos);
        waitedSince(start);
        hasStopped = saying == STOP;
        return heard();
    }

    /** What {@link #say} has for the others. */
    Parts said() {
        return send;
    }

    /** Where {@link #heard} looks. */
    Parts hears() {
        return receive;
    }

    /** The exchanges of a micro-batch in a layer, of which this rank has nothing. */
    void takePart(Parts nothing) {
        transport.exchange(DISPATCH, nothing, nothing, deadlineNanos);
        transport.exchange(RESULT, nothing, nothing, deadlineNanos);
    }

    /** Gets ready what a tick tells the others; as {@link #tick}, without the exchange. */
    void say(long saying, int ofPass) {
        boolean isAttention = ranks.isAttention(transport.rank());
        long bytes = HEAD_BYTES;
        said.setAtIndex(ValueLayout.JAVA_LONG, SAYS, saying);
        said.setAtIndex(ValueLayout.JAVA_LONG, MICRO_BATCHES, ofPass);
        said.setAtIndex(ValueLayout.JAVA_LONG, NUMBER, isAttention ? 0 : ready);
        Proposal next = transport.rank() == 0 && coming == null ? proposed.getAndSet(null) : null;
        if (next != null) {
            said.setAtIndex(ValueLayout.JAVA_LONG, NUMBER, number + 1);
            bytes += PlacementBytes.write(next.placements, said, HEAD_BYTES);
        }
        said.setAtIndex(ValueLayout.JAVA_LONG, PLACEMENT_BYTES, bytes - HEAD_BYTES);
        for (int rank = 0; rank < ranks.size(); rank++) {
            send.fill(rank, bytes);
        }
    }

    private long heard(int rank, int what) {
        return receive.memory()
                .get(ValueLayout.JAVA_LONG, receive.offset(rank) + (long) what * Long.BYTES);
    }

    /** What all ranks have said at a tick. */
    Turn heard() {
        Turn turn = Turn.IDLE;
        int most = 0;
        for (int rank = 0; rank < ranks.attention(); rank++) {
            long says = heard(rank, SAYS);
            most = Math.max(most, (int) heard(rank, MICRO_BATCHES));
            if (says == STOP) {
                turn = Turn.STOP;
            } else if (says == PASS && turn == Turn.IDLE) {
                turn = Turn.PASS;
            }
        }
        microBatchesOfPass = most;
        if (heard(0, PLACEMENT_BYTES) > 0) {
            long at = receive.offset(0) + HEAD_BYTES;
            coming =
                    new Proposal(
                            heard(0, NUMBER),
                            PlacementBytes.read(
                                    receive.memory(), at, placements.size(), numExperts, ranks));
        }
        Proposal next = coming;
        if (next != null && allAreReady(next.number)) {
            placements = next.placements;
            number = next.number;
            coming = null;
        }
        return turn;
    }

    private boolean allAreReady(long next) {
        for (int rank = ranks.attention(); rank < ranks.size(); rank++) {
            if (heard(rank, NUMBER) < next) {
                return false;
            }
        }
        return true;
    }

    @Override
    public void close() {
        transport.close();
    }
}
