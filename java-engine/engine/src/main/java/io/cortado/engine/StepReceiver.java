package io.cortado.engine;

import io.cortado.device.Buffer;
import io.cortado.device.Device;
import io.cortado.device.Event;
import io.cortado.device.ResourceStack;
import io.cortado.device.Stream;
import io.cortado.engine.StepMessage.Field;
import io.cortado.gang.GangException;
import io.cortado.model.BatchInputs;
import io.cortado.model.CausalLm;
import io.cortado.model.KvPages;
import io.cortado.model.KvTiers;
import org.jspecify.annotations.Nullable;

/**
 * The other side of {@link StepSender}: enqueues the steps that it is told. A message comes once
 * the step before has begun, in the order of its stream or because that is waited for, so that one
 * place for inputs is enough. One thread.
 */
final class StepReceiver implements AutoCloseable {
    private static final long A_WHILE_MS = 1000;

    private final ResourceStack owned = new ResourceStack();
    private final CausalLm model;
    private final RankLinks ranks;
    private final long capacity;
    private final int maxBlocksPerSeq;
    private final Buffer received;
    private final Buffer receivedBytes;
    private final Buffer sent;
    private final Buffer sentBytes;
    private final Buffer allIds;
    private final StepMessage message;
    private final BatchInputs inputs;
    private final KvTiers tiers;
    private final KvTiers.Pairs pairs;
    private final @Nullable KvPages pages;
    private final int[] copies;
    private final Event told;
    private final Event hasRead;
    private final Stream stream;

    /** Steps are told in it; null: in their own. */
    private final @Nullable Stream beside;

    /**
     * @param model allocated with the same limits
     */
    StepReceiver(
            Device device,
            CausalLm model,
            RankLinks ranks,
            Limits limits,
            int maxBlocksPerSeq,
            int numBlocks) {
        this.model = model;
        this.ranks = ranks;
        this.maxBlocksPerSeq = maxBlocksPerSeq;
        capacity = StepMessage.capacity(limits, maxBlocksPerSeq, numBlocks);
        copies = new int[2 * numBlocks];
        long all = ranks.size() * capacity;
        Device telling = ranks.tellingDevice(device);
        boolean built = false;
        try {
            received = own(telling.createHostBuffer(all));
            receivedBytes = own(telling.createHostBuffer((long) Long.BYTES * ranks.size()));
            sent = own(telling.createHostBuffer(all));
            sentBytes = own(telling.createHostBuffer((long) Long.BYTES * ranks.size()));
            sentBytes.host().fill((byte) 0);
            message = new StepMessage(received.host().asSlice(0, capacity));
            allIds = own(device.createBuffer(StepSender.idBytes(ranks, limits)));
            inputs = model.createInputs();
            owned.push(inputs::close);
            tiers = model.createTiers(0);
            owned.push(tiers::close);
            pages = tiers.pages();
            if (pages != null) {
                owned.push(pages::close);
            }
            pairs = tiers.createPairs();
            owned.push(pairs::close);
            told = telling.createEvent();
            owned.push(told::close);
            hasRead = device.createEvent();
            owned.push(hasRead::close);
            stream = device.createStream();
            owned.push(stream::close);
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

    private Buffer own(Buffer buffer) {
        owned.push(buffer::close);
        return buffer;
    }

    /**
     * Follows until it is told to stop.
     *
     * @throws GangException if a rank is lost
     */
    void run() {
        Stream in = beside == null ? stream : beside;
        while (true) {
            ranks.told().allToAll(received, receivedBytes, sent, sentBytes, capacity, in);
            told.record(in);
            await(told);
            message.rewind();
            switch (message.kind()) {
                case STEP -> enqueue();
                case IDLE -> {}
                case STOP -> {
                    stream.synchronize();
                    return;
                }
            }
            if (beside != null) {
                await(hasRead);
            }
        }
    }

    private void await(Event event) {
        while (!event.await(A_WHILE_MS)) {
            // The collectives' deadline ends it.
        }
        GangException failure = ranks.failure();
        if (failure != null) {
            throw failure;
        }
    }

    private void enqueue() {
        int numTokens = message.get(Field.NUM_TOKENS);
        int numSeqs = message.get(Field.NUM_SEQS);
        int numRows = message.get(Field.NUM_ROWS);
        if (pages != null) {
            pages.used(message.get(Field.USED_BLOCKS));
        }
        message.takeLongs(inputs.slotMapping(), numTokens);
        message.takeInts(inputs.ids(), 0, numTokens);
        message.takeInts(inputs.positions(), 0, numTokens);
        message.takeInts(inputs.cuSeqlensQ(), 0, numSeqs + 1);
        message.takeInts(inputs.seqlensKv(), 0, numSeqs);
        message.takeInts(inputs.logitRows(), 0, numRows);
        message.takeInts(inputs.rowCandidates().words(), numRows);
        inputs.rowCandidates().drawableIds(message.get(Field.DRAWABLE_IDS));
        copyBlocks(message.get(Field.NUM_COPIES));
        takeTables(message.get(Field.NUM_RUNS));
        inputs.upload(numSeqs, stream);
        hasRead.record(stream);
        if (message.get(Field.IS_FED) > 0) {
            inputs.share(ranks.computed(), allIds, numTokens, stream);
        }
        int maxQLen = message.get(Field.MAX_Q_LEN);
        model.forward(inputs, numTokens, numSeqs, numRows, maxQLen, stream);
    }

    private void copyBlocks(int count) {
        message.takeInts(copies, 2 * count);
        if (count > 0) {
            pairs.within(copies, count);
            tiers.enqueue(pairs, stream);
        }
    }

    private void takeTables(int runs) {
        for (int i = 0; i < runs; i++) {
            long row = message.takeInt();
            int column = message.takeInt();
            int count = message.takeInt();
            message.takeInts(inputs.blockTable(), row * maxBlocksPerSeq + column, count);
        }
    }

    /** Waits for what was enqueued. */
    @Override
    public void close() {
        owned.close();
    }
}
