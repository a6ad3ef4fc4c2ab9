package io.cortado.model;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.cortado.device.Buffer;
import io.cortado.device.DType;
import io.cortado.device.Device;
import io.cortado.device.HostQueue;
import io.cortado.device.Kernels;
import io.cortado.device.ResourceStack;
import io.cortado.device.Staging;
import io.cortado.device.Stream;
import io.cortado.gang.Collectives;
import io.cortado.gang.GangException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The ranks' logits over collectives in the host's memory: rows as they are, or of each row the
 * first candidates of each rank's part of the vocabulary, as {@link RowCandidates} says. All ranks
 * know the sizes beforehand, so a step has one exchange for each of the two that it has rows of,
 * and one more of the parts' largest logits where log-probabilities are asked for.
 */
final class LogitGather implements LogitExchange {
    /** Steps that may be described while others run, and one more. */
    private static final int STEPS = 4;

    /** In a row of a step. */
    private static final int CALLS = 3;

    /** Of a row; with more it comes whole. */
    private static final int MOST_CANDIDATES = 512;

    private final ResourceStack owned = new ResourceStack();
    private final Collectives ranks;
    private final int width;
    private final int stride;
    private final int maxRows;
    private final long partBytes;
    private final long candidateBytes;
    private final boolean isFirst;
    private final Buffer ownLogits;
    private final Buffer allParts;
    private final Buffer received;
    private final Buffer inOrder;
    private final List<Buffer> columns = new ArrayList<>();
    private final List<Buffer> parts = new ArrayList<>();
    private final List<CandidateTurn> turns = new ArrayList<>();
    private final LogitCounts.Counter counts = new LogitCounts.Counter();
    private int turn;

    /** What the host does in the stream. */
    private final HostQueue<Call> calls;

    private final CandidateSender sender;

    /** The first rank's. */
    private final @Nullable CandidateReceiver receiver;

    private final Buffer candidates;
    private final Buffer candidatesReceived;

    /** Work of the host in the stream. */
    private enum Work {
        NOTE_LARGEST,
        PACK,
        ARRIVE
    }

    private static final class Call {
        Work work = Work.PACK;
        @Nullable CandidateTurn turn;
    }

    /**
     * @param width logits of a whole row
     * @param stride of each rank but the last, which may have fewer
     * @param logits of the first rank: where whole rows are; of another: what it computes
     */
    LogitGather(
            Device device,
            Staging staging,
            Collectives ranks,
            int width,
            int stride,
            int maxRows,
            Buffer logits) {
        this.ranks = ranks;
        this.width = width;
        this.stride = stride;
        this.maxRows = maxRows;
        isFirst = ranks.rank() == 0;
        partBytes = partBytes(maxRows, stride);
        candidateBytes = candidateBytes(maxRows, stride);
        int size = ranks.size();
        boolean built = false;
        try {
            for (int i = 0; i < STEPS; i++) {
                CandidateTurn made = new CandidateTurn(device, maxRows, size);
                owned.push(made::close);
                turns.add(made);
            }
            received = own(device.createHostBuffer((long) Long.BYTES * size));
            // Only the part for the first rank has bytes, and it is the first.
            ownLogits = isFirst ? own(device.createBuffer(size * partBytes)) : logits;
            allParts = own(device.createBuffer(size * partBytes));
            inOrder =
                    isFirst
                            ? own(staging.create(4L * maxRows, LogitGather::writeInOrder))
                            : ownLogits;
            for (int rank = 0; isFirst && rank < size; rank++) {
                long at = (long) rank * stride * Float.BYTES;
                columns.add(own(logits.view(at, logits.bytes() - at)));
                parts.add(own(allParts.view(rank * partBytes, partBytes)));
            }
            candidates = own(device.createBuffer(size * candidateBytes));
            candidatesReceived = own(device.createHostBuffer((long) Long.BYTES * size));
            sender = createSender(device);
            receiver = isFirst ? createReceiver(device, logits, candidates) : null;
            calls = new HostQueue<>(STEPS * CALLS, Call::new, this::run);
            owned.push(calls::close);
            built = true;
        } finally {
            if (!built) {
                owned.close();
            }
        }
    }

    private CandidateSender createSender(Device device) {
        int most = mostCandidates(stride);
        CandidateSender made =
                new CandidateSender(
                        device, ranks, ownLogits, maxRows, width, stride, candidateBytes, most);
        owned.push(made::close);
        return made;
    }

    private CandidateReceiver createReceiver(Device device, Buffer logits, Buffer from) {
        CandidateReceiver made =
                new CandidateReceiver(
                        device, ranks.size(), logits, from, maxRows, width, stride, candidateBytes);
        owned.push(made::close);
        return made;
    }

    private Buffer own(Buffer buffer) {
        owned.push(buffer::close);
        return buffer;
    }

    static void writeInOrder(MemorySegment rows) {
        for (int i = 0; i < rows.byteSize() / Integer.BYTES; i++) {
            rows.setAtIndex(JAVA_INT, i, i);
        }
    }

    /** Of a rank's whole rows. */
    static long partBytes(int maxRows, int stride) {
        return Buffer.aligned(4L * maxRows * stride);
    }

    private static long candidateBytes(int maxRows, int stride) {
        return Buffer.aligned(maxRows * CandidateTurn.rowBytes(mostCandidates(stride), true));
    }

    /** Of a row and rank: fewer bytes than of its logits, masses and largest ones included. */
    static int mostCandidates(int stride) {
        return Math.min(MOST_CANDIDATES, stride / 2 - 2);
    }

    /** Of what a rank has beside the logits. */
    static long bytes(int ranks, boolean isFirst, int maxRows, int stride) {
        long ofCandidates = candidateBytes(maxRows, stride);
        long ofParts = partBytes(maxRows, stride);
        return ranks * (ofParts + ofCandidates)
                + CandidateSender.bytes(ranks, maxRows, ofCandidates, mostCandidates(stride))
                + (isFirst ? ranks * ofParts + 4L * maxRows + CandidateReceiver.bytes(maxRows) : 0);
    }

    @Override
    public int mostCandidates() {
        return mostCandidates(stride);
    }

    @Override
    public Buffer ownLogits() {
        return ownLogits;
    }

    @Override
    public @Nullable Buffer masses() {
        return receiver == null ? null : receiver.masses();
    }

    @Override
    public @Nullable Buffer largest() {
        return receiver == null ? null : receiver.largest();
    }

    @Override
    public LogitCounts counts() {
        return counts.snapshot();
    }

    @Override
    public void enqueue(RowCandidates rows, int numRows, Stream stream) {
        CandidateTurn next = turns.get(turn);
        turn = (turn + 1) % STEPS;
        next.describe(rows, numRows, 4L * stride);
        if (next.hasCandidates()) {
            sendCandidates(next, stream);
        }
        if (next.numWhole() > 0) {
            ranks.allToAll(allParts, received, ownLogits, next.sentWhole, partBytes, stream);
        }
        if (!next.hasCandidates()) {
            gatherRows(numRows, stream);
        }
        if (receiver != null) {
            call(Work.ARRIVE, next, stream);
        }
    }

    private void sendCandidates(CandidateTurn next, Stream stream) {
        sender.find(next, stream);
        if (next.numMasses() > 0) {
            call(Work.NOTE_LARGEST, next, stream);
            sender.gatherLargest(next, stream);
        }
        call(Work.PACK, next, stream);
        ranks.allToAll(
                candidates,
                candidatesReceived,
                sender.packed(),
                next.sentCandidates,
                candidateBytes,
                stream);
    }

    private void gatherRows(int numRows, Stream stream) {
        for (int rank = 0; isFirst && rank < columns.size(); rank++) {
            Kernels.gatherRows(
                    columns.get(rank),
                    parts.get(rank),
                    inOrder,
                    numRows,
                    Math.min(stride, width - rank * stride),
                    maxRows,
                    width,
                    stride,
                    DType.F32,
                    stream);
        }
    }

    private void call(Work work, CandidateTurn turn, Stream stream) {
        Call next = calls.next();
        next.work = work;
        next.turn = turn;
        calls.enqueue(stream);
    }

    /** Called by the stream. What an exchange that has failed has left is not looked at. */
    private void run(Call call) {
        CandidateTurn of = call.turn;
        if (of == null || ranks.failure() != null) {
            return;
        }
        try {
            switch (call.work) {
                case NOTE_LARGEST -> sender.noteLargest(of);
                case PACK -> sender.pack(of);
                case ARRIVE -> arrive(of);
            }
        } catch (RuntimeException | Error e) {
            ranks.abort("its logits cannot be exchanged: " + e.getMessage());
        }
    }

    private void arrive(CandidateTurn of) {
        if (receiver == null) {
            return;
        }
        long bytes = 0;
        if (of.numWhole() > 0) {
            bytes += bytes(received, of.sentWhole);
        }
        if (of.hasCandidates()) {
            bytes += bytes(candidatesReceived, of.sentCandidates);
            bytes += (ranks.size() - 1L) * Float.BYTES * of.numMasses();
            receiver.scatter(of, allParts.host(), partBytes);
        } else {
            receiver.wrote(of);
        }
        counts.addStep(of.numRows(), of.numRows() - of.numWhole(), bytes);
    }

    /** Of the others, which have to have sent as much as this rank. */
    private long bytes(Buffer came, Buffer sent) {
        long expected = sent.host().getAtIndex(JAVA_LONG, 0);
        long sum = 0;
        for (int rank = 1; rank < ranks.size(); rank++) {
            long bytes = came.host().getAtIndex(JAVA_LONG, rank);
            if (bytes != expected) {
                throw new GangException(
                        GangException.Kind.MISMATCH,
                        "rank %d sent bytes=%d of logits, this rank sends bytes=%d"
                                .formatted(rank, bytes, expected));
            }
            sum += bytes;
        }
        return sum;
    }

    @Override
    public void close() {
        owned.close();
    }
}
