package io.cortado.moe;

import io.cortado.device.Buffer;
import io.cortado.device.DType;
import io.cortado.device.Device;
import io.cortado.device.HostQueue;
import io.cortado.device.ResourceStack;
import io.cortado.device.Stream;
import io.cortado.gang.GangException;
import io.cortado.gang.Parts;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Experts on other ranks, as a rank with attention sees them. A layer's tokens go to the ranks that
 * have their experts and come back to their slots, which are summed here in their order, in
 * float32: the bits are those of one rank, wherever experts are.
 *
 * <p>All ranks enter all exchanges of a pass in one order: layer by layer, in a layer micro-batch
 * by micro-batch, there and back. A pass of one micro-batch exchanges within its stream. Of a pass
 * of two, a thread beside the stream makes the exchanges, so that attention of one micro-batch is
 * computed while the other is with the experts.
 */
final class RemoteExperts implements AutoCloseable {
    private static final int STEPS_UNDER_WAY = 3;

    private final ResourceStack owned = new ResourceStack();
    private final ExpertLink link;
    private final List<RemoteTokens> microBatches = new ArrayList<>();
    private final HostQueue<Call> queue;
    private final @Nullable ExchangeThread beside;
    private final MicroBatchChoice choice;

    // Of this rank's pass that the stream computes; other ranks may have more micro-batches.
    private int tokensOfPass;
    private int ownMicroBatches;
    private int leftOfPass;
    private long passStart;

    /** Of an exchange without tokens of this rank. */
    private final Parts nothing;

    private enum Kind {
        BEGIN,
        IDLE,
        SEND,
        RECEIVE
    }

    /** A call in a stream. */
    private static final class Call {
        private Kind kind = Kind.IDLE;

        /** BEGIN: how many. */
        private int microBatches;

        /** SEND, RECEIVE: which. */
        private int microBatch;

        private int layer;

        /** BEGIN: of the pass; SEND: of the micro-batch. */
        private int numTokens;

        private MemorySegment x = MemorySegment.NULL;
        private MemorySegment positions = MemorySegment.NULL;
    }

    RemoteExperts(Device device, ExpertLink link, ExpertShape shape, DType dtype, int maxTokens) {
        this.link = link;
        nothing = new Parts(MemorySegment.NULL, link.ranks().size());
        choice = new MicroBatchChoice(link.microBatching());
        boolean built = false;
        try {
            new ExpertHello(link, shape, dtype, maxTokens)
                    .exchange(link.transport(), link.startNanos());
            for (int i = 0; i < link.microBatches(); i++) {
                int most = i == 0 ? maxTokens : secondTokens(maxTokens);
                RemoteTokens made = new RemoteTokens(device, link, shape, dtype, i, most);
                owned.push(made::close);
                microBatches.add(made);
            }
            int calls = 1 + 2 * link.microBatches() * link.numLayers();
            queue = new HostQueue<>(STEPS_UNDER_WAY * calls, Call::new, this::run);
            owned.push(queue::close);
            beside = link.microBatches() == 1 ? null : new ExchangeThread(link, microBatches);
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

    /** Tokens of the second micro-batch, at most: the first has as many or one more. */
    static int secondTokens(int maxTokens) {
        return Math.max(1, maxTokens / 2);
    }

    RemoteTokens microBatch(int number) {
        return microBatches.get(number);
    }

    /** Micro-batches of this rank's next pass. */
    int nextMicroBatches(int numTokens) {
        return choice.next(numTokens);
    }

    /** Enqueues: a pass of this rank begins, in so many micro-batches. */
    void begin(int count, int numTokens, Stream stream) {
        Call call = queue.next();
        call.kind = Kind.BEGIN;
        call.microBatches = count;
        call.numTokens = numTokens;
        queue.enqueue(stream);
    }

    /** Enqueues: this rank has nothing to do, and takes part in what others have. */
    void idle(Stream stream) {
        queue.next().kind = Kind.IDLE;
        queue.enqueue(stream);
    }

    /**
     * Enqueues: a micro-batch's tokens, whose choices are there, go to their experts.
     *
     * @param layer counted among those with experts
     * @param positions int32[tokens], in host memory
     */
    void send(
            int microBatch,
            Buffer x,
            int layer,
            MemorySegment positions,
            int numTokens,
            Stream stream) {
        MemorySegment rows = microBatches.get(microBatch).fetch(x, numTokens, stream);
        Call call = queue.next();
        call.kind = Kind.SEND;
        call.microBatch = microBatch;
        call.layer = layer;
        call.numTokens = numTokens;
        call.x = rows;
        call.positions = positions;
        queue.enqueue(stream);
    }

    /** Enqueues: what was sent has come back. */
    void receive(int microBatch, Stream stream) {
        if (beside != null) {
            Call call = queue.next();
            call.kind = Kind.RECEIVE;
            call.microBatch = microBatch;
            queue.enqueue(stream);
        }
    }

    /** Called by the stream; after a failure nothing is done any more. */
    private void run(Call call) {
        if (link.failure() != null) {
            return;
        }
        try {
            switch (call.kind) {
                case BEGIN -> begin(call.microBatches, call.numTokens);
                case IDLE -> takePart();
                case SEND -> send(call);
                case RECEIVE -> receive(call.microBatch);
            }
        } catch (RuntimeException | Error e) {
            link.fail(e);
        }
    }

    private void begin(int own, int numTokens) {
        settle();
        begun(link.tick(ExpertLink.PASS, own));
        tokensOfPass = numTokens;
        ownMicroBatches = own;
        leftOfPass = own * link.numLayers();
        passStart = System.nanoTime();
        if (beside != null && link.microBatchesOfPass() > 1) {
            beside.begin(own);
        }
    }

    /** The exchanges of the pass before are over: one thread at a time makes some. */
    private void settle() {
        if (beside != null) {
            beside.settle();
        }
    }

    private static void begun(ExpertLink.Turn turn) {
        if (turn == ExpertLink.Turn.STOP) {
            throw new GangException(
                    GangException.Kind.ABORTED, "another rank with attention has ended");
        }
    }

    /** All exchanges of a pass of others. */
    private void takePart() {
        settle();
        ExpertLink.Turn turn = link.tick(ExpertLink.IDLE, 0);
        begun(turn);
        if (turn == ExpertLink.Turn.PASS) {
            int count = link.numLayers() * link.microBatchesOfPass();
            long start = System.nanoTime();
            for (int i = 0; i < count; i++) {
                link.takePart(nothing);
            }
            link.waitedSince(start);
        }
    }

    private void send(Call call) {
        RemoteTokens tokens = microBatches.get(call.microBatch);
        tokens.describe(call.layer, call.numTokens, call.x, call.positions);
        if (beside == null || link.microBatchesOfPass() == 1) {
            link.waitedFor(tokens.exchange(nothing));
        } else {
            beside.send(call.microBatch);
        }
    }

    private void receive(int microBatch) {
        if (beside != null && link.microBatchesOfPass() > 1) {
            long start = System.nanoTime();
            beside.receive(microBatch);
            link.waitedSince(start);
        }
        leftOfPass--;
        if (leftOfPass == 0 && link.microBatchesOfPass() == ownMicroBatches) {
            choice.took(tokensOfPass, ownMicroBatches, System.nanoTime() - passStart);
        }
    }

    /** After the streams have run: tells the others, where nothing has failed. */
    @Override
    public void close() {
        try {
            settle();
            if (link.failure() == null) {
                link.tick(ExpertLink.STOP, 0);
            }
        } catch (RuntimeException e) {
            link.fail(e);
        }
        owned.close();
    }
}
