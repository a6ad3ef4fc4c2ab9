package io.cortado.engine;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.cortado.device.Buffer;
import io.cortado.device.Device;
import io.cortado.device.Event;
import io.cortado.device.NativeException;
import io.cortado.device.ResourceStack;
import io.cortado.device.Stream;
import io.cortado.engine.StepMessage.Field;
import io.cortado.engine.StepMessage.Kind;
import io.cortado.gang.Collectives;
import io.cortado.gang.GangException;
import io.cortado.kv.BlockTable;
import io.cortado.kv.KvCache;
import io.cortado.kv.Moves;
import io.cortado.model.BatchInputs;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The first rank's side of a model that several ranks run: tells the others each step in the order
 * that it enqueues them in, so that they enqueue the same. One thread.
 */
final class StepSender implements AutoCloseable {
    private static final long A_WHILE_MS = 1000;

    /** Two steps, and what is told between them. */
    private static final int UNDER_WAY = 3;

    /** A follower is told so often within its patience that there is nothing to do. */
    private static final int IDLES_IN_DEADLINE = 4;

    private final ResourceStack owned = new ResourceStack();
    private final RankLinks ranks;
    private final Collectives told;
    private final long idleNanos;
    private final long capacity;
    private final List<Outgoing> outgoing = new ArrayList<>();
    private final Buffer received;
    private final Buffer receivedBytes;
    private final Buffer allIds;

    /** Steps are told in it; null: in their own, in its order. */
    private final @Nullable Stream beside;

    // What the rows of the followers' block table hold, by the stamps of the tables.
    private final long[] tableStamps;
    private final int[] tableSizes;
    private int turn;
    private boolean isStopped;
    private long lastNanos = System.nanoTime();

    /** A message on its way. */
    private record Outgoing(Buffer buffer, Buffer counts, StepMessage message, Event sent) {}

    /**
     * @param ranks joined with the device
     */
    StepSender(Device device, RankLinks ranks, Limits limits, int maxBlocksPerSeq, int numBlocks) {
        this.ranks = ranks;
        told = ranks.told();
        Device telling = ranks.tellingDevice(device);
        idleNanos = ranks.deadlineNanos() / IDLES_IN_DEADLINE;
        capacity = StepMessage.capacity(limits, maxBlocksPerSeq, numBlocks);
        tableStamps = new long[limits.maxTables()];
        tableSizes = new int[limits.maxTables()];
        boolean built = false;
        try {
            long counts = (long) Long.BYTES * ranks.size();
            for (int i = 0; i < UNDER_WAY; i++) {
                Buffer buffer = own(telling.createHostBuffer(ranks.size() * capacity));
                Event sent = telling.createEvent();
                owned.push(sent::close);
                StepMessage message = new StepMessage(buffer.host().asSlice(capacity, capacity));
                outgoing.add(
                        new Outgoing(buffer, own(telling.createHostBuffer(counts)), message, sent));
            }
            received = own(telling.createHostBuffer(ranks.size() * capacity));
            receivedBytes = own(telling.createHostBuffer(counts));
            allIds = own(device.createBuffer(idBytes(ranks, limits)));
            beside = ranks.areBeside() ? telling.createStream() : null;
            if (beside != null) {
                owned.push(beside::close);
            }
            built = true;
        } finally {
            if (!built) {
                owned.close();
            }
        }
    }

    /** Of all ranks' ids of a step. */
    static long idBytes(RankLinks ranks, Limits limits) {
        return (long) ranks.size() * limits.maxNumBatchedTokens() * Integer.BYTES;
    }

    private Buffer own(Buffer buffer) {
        owned.push(buffer::close);
        return buffer;
    }

    /**
     * Enqueues the message of a step, which what the step itself exchanges comes after.
     *
     * @param inputs as the host has written them
     * @param cache whose copies come before the step
     */
    void send(Batch batch, BatchInputs inputs, KvCache cache, Stream stream) {
        Outgoing next = next();
        StepMessage message = next.message();
        Moves copies = cache.copies();
        int numTokens = batch.numTokens();
        int numSeqs = batch.numSeqs();
        message.rewind();
        message.kind(Kind.STEP);
        message.set(Field.NUM_TOKENS, numTokens);
        message.set(Field.NUM_SEQS, numSeqs);
        message.set(Field.NUM_ROWS, batch.numRows());
        message.set(Field.MAX_Q_LEN, batch.maxQLen());
        message.set(Field.IS_FED, batch.isFed() ? 1 : 0);
        message.set(Field.NUM_COPIES, copies.size());
        message.set(Field.USED_BLOCKS, cache.pool().everTaken());
        message.putLongs(inputs.slotMapping(), numTokens);
        message.putInts(inputs.ids(), numTokens);
        message.putInts(inputs.positions(), numTokens);
        message.putInts(inputs.cuSeqlensQ(), numSeqs + 1);
        message.putInts(inputs.seqlensKv(), numSeqs);
        message.set(Field.DRAWABLE_IDS, inputs.rowCandidates().drawableIds());
        message.putInts(inputs.logitRows(), batch.numRows());
        message.putInts(inputs.rowCandidates().words(), 0, batch.numRows());
        message.putInts(copies.array(), 0, 2 * copies.size());
        message.set(Field.NUM_RUNS, putTables(batch, message));
        send(next, stream);
    }

    /** Only what a row does not hold yet: while decoding one block in 16 steps. */
    private int putTables(Batch batch, StepMessage message) {
        int runs = 0;
        for (int i = 0; i < batch.numSeqs(); i++) {
            if (batch.fork(i) != null) {
                throw new IllegalStateException("trees of drafts are refused with several ranks");
            }
            BlockTable table = batch.sequence(i).table;
            int held = tableStamps[i] == table.stamp() ? tableSizes[i] : 0;
            int size = table.size();
            if (held < size) {
                message.putInt(i);
                message.putInt(held);
                message.putInt(size - held);
                message.putInts(table.array(), held, size - held);
                tableStamps[i] = table.stamp();
                tableSizes[i] = size;
                runs++;
            }
        }
        return runs;
    }

    /** Enqueues: the followers get the ids of a step some of which the device has fed. */
    void shareIds(BatchInputs inputs, int numTokens, Stream stream) {
        inputs.share(ranks.computed(), allIds, numTokens, stream);
    }

    /** Tells the followers, now and then, that there is nothing to do. */
    void idle(Stream stream) {
        requireWhole();
        if (System.nanoTime() - lastNanos >= idleNanos) {
            sendAlone(Kind.IDLE, stream);
        }
    }

    /** How long the followers may hear nothing. */
    long idleNanos() {
        return idleNanos;
    }

    /**
     * Enqueues the last message; where the device has failed, ends the gang instead. A message that
     * goes beside the steps comes after them as well.
     */
    void stop(Stream stream) {
        if (isStopped || ranks.failure() != null) {
            return;
        }
        isStopped = true;
        try {
            if (beside != null) {
                stream.synchronize();
            }
            sendAlone(Kind.STOP, stream);
        } catch (NativeException | GangException e) {
            ranks.abort("its device has failed: " + e.getMessage());
        }
    }

    private void sendAlone(Kind kind, Stream stream) {
        Outgoing next = next();
        next.message().rewind();
        next.message().kind(kind);
        send(next, stream);
    }

    /**
     * @throws GangException if a rank is lost: results are not to be used
     */
    void requireWhole() {
        GangException why = ranks.failure();
        if (why != null) {
            throw why;
        }
    }

    /** Waits until what was sent from there is on its way: two steps later it is. */
    private Outgoing next() {
        Outgoing next = outgoing.get(turn);
        turn = (turn + 1) % UNDER_WAY;
        while (!next.sent().await(A_WHILE_MS)) {
            requireWhole();
        }
        return next;
    }

    private void send(Outgoing next, Stream stream) {
        long bytes = next.message().bytes();
        MemorySegment memory = next.buffer().host();
        MemorySegment counts = next.counts().host();
        for (int rank = 1; rank < ranks.size(); rank++) {
            if (rank > 1) {
                MemorySegment.copy(memory, capacity, memory, rank * capacity, bytes);
            }
            counts.setAtIndex(JAVA_LONG, rank, bytes);
        }
        Stream in = beside == null ? stream : beside;
        told.allToAll(received, receivedBytes, next.buffer(), next.counts(), capacity, in);
        next.sent().record(in);
        lastNanos = System.nanoTime();
    }

    /** After the stream has ended. */
    @Override
    public void close() {
        owned.close();
    }
}
