package io.cortado.moe;

import io.cortado.device.Threads;
import io.cortado.gang.Parts;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;

/**
 * Makes the exchanges of passes of two micro-batches beside the stream that computes them. The
 * stream begins a pass, sends a micro-batch's tokens of a layer and waits for them where it needs
 * them; between the two it computes the other micro-batch.
 *
 * <p>A micro-batch's tokens go there and back before the other's go. To bring one's results along
 * with the other's tokens would be half as many exchanges, but each is a barrier: results that are
 * ready would wait for attention, and no exchange would be beside what it computes.
 */
final class ExchangeThread implements AutoCloseable {
    private final ExpertLink link;
    private final List<RemoteTokens> microBatches;
    private final Parts nothing;
    private final Turns begun;
    private final Turns ended;

    /** By micro-batch. */
    private final List<Turns> sent = new ArrayList<>();

    private final List<Turns> received = new ArrayList<>();
    private final Thread thread;
    private volatile boolean isClosing;

    /** Of the pass: micro-batches of this rank, where others may have more. */
    private int own;

    /** By the stream: a pass was begun and not waited for. */
    private boolean isUnderWay;

    ExchangeThread(ExpertLink link, List<RemoteTokens> microBatches) {
        this.link = link;
        this.microBatches = List.copyOf(microBatches);
        nothing = new Parts(MemorySegment.NULL, link.ranks().size());
        begun = new Turns(() -> isClosing);
        BooleanSupplier hasFailed = () -> link.failure() != null;
        ended = new Turns(hasFailed);
        for (int i = 0; i < microBatches.size(); i++) {
            sent.add(new Turns(hasFailed));
            received.add(new Turns(hasFailed));
        }
        link.onFailure(this::wake);
        thread = Thread.ofPlatform().name("expert-exchange").daemon().start(this::run);
    }

    private void wake() {
        ended.wake();
        sent.forEach(Turns::wake);
        received.forEach(Turns::wake);
    }

    /** The stream: a pass begins, of which this rank has so many micro-batches. */
    void begin(int count) {
        own = count;
        isUnderWay = true;
        begun.done();
    }

    /** The stream: what was described is there. */
    void send(int microBatch) {
        sent.get(microBatch).done();
    }

    /** The stream: waits until what was sent has come back, or the gang has failed. */
    void receive(int microBatch) {
        received.get(microBatch).await();
    }

    /** The stream: waits until the exchanges of the pass are over, or the gang has failed. */
    void settle() {
        if (isUnderWay) {
            isUnderWay = false;
            ended.await();
        }
    }

    private void run() {
        while (begun.await()) {
            try {
                pass();
            } catch (RuntimeException | Error e) {
                link.fail(e);
            }
        }
    }

    private void pass() {
        for (int layer = 0; layer < link.numLayers(); layer++) {
            for (int i = 0; i < link.microBatchesOfPass(); i++) {
                if (i >= own) {
                    link.takePart(nothing);
                } else if (sent.get(i).await()) {
                    // The stream computes meanwhile, and counts where it waits itself.
                    microBatches.get(i).exchange(nothing);
                    received.get(i).done();
                } else {
                    return;
                }
            }
        }
        ended.done();
    }

    /** After the pass is settled. */
    @Override
    public void close() {
        isClosing = true;
        begun.wake();
        Threads.join(List.of(thread));
    }
}
