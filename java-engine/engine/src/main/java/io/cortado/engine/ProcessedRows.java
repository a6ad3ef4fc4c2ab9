package io.cortado.engine;

import static java.lang.System.Logger.Level.INFO;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import io.cortado.api.EngineException;
import io.cortado.api.LogitsProcessor;
import io.cortado.device.Buffer;
import io.cortado.device.Device;
import io.cortado.device.Event;
import io.cortado.device.Kernels;
import io.cortado.device.ResourceStack;
import io.cortado.device.Stream;
import io.cortado.sampling.SampleState;
import io.cortado.sampling.Sampler;
import java.lang.foreign.MemorySegment;

/**
 * The way of rows with processors: the step copies their logits to the host, and once it has ended
 * they are changed there, go back to the device and are drawn on a stream of their own, beside the
 * step that runs by then.
 */
final class ProcessedRows implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(ProcessedRows.class.getName());
    private static final long FOR_A_WHILE_MS = 60_000;
    private static final int ROWS = LogitsProcessor.MAX_ROWS;

    private final ResourceStack owned = new ResourceStack();
    private final int width;
    private final long rowBytes;
    private final Stream stream;
    private final Event done;
    private final Buffer host;
    private final Buffer logits;
    private final SampleState state;
    private final Sampler sampler;
    private final RowWriter writer;
    private final float[] row;

    // The rows that are drawn, and what comes of them.
    private final int[] places = new int[ROWS];
    private final int[] tokens = new int[ROWS];
    private final float[] logprobs = new float[ROWS];
    private final int[] ranks = new int[ROWS];
    private final int[] statuses = new int[ROWS];
    private final int[] topIds = new int[ROWS * Batch.MAX_TOPS];
    private final float[] topLogprobs = new float[ROWS * Batch.MAX_TOPS];

    /**
     * @param width logits of a row
     * @param vocabSize those of them that may be drawn
     */
    ProcessedRows(Device device, SampleState state, int width, int vocabSize) {
        this.width = width;
        this.state = state;
        rowBytes = (long) width * Float.BYTES;
        row = new float[width];
        boolean built = false;
        try {
            host = device.createHostBuffer(ROWS * rowBytes);
            owned.push(host::close);
            logits = device.createBuffer(ROWS * rowBytes);
            owned.push(logits::close);
            sampler = new Sampler(device, ROWS, Batch.MAX_TOPS, vocabSize, width);
            owned.push(sampler::close);
            writer = new RowWriter(sampler, width);
            done = device.createEvent();
            owned.push(done::close);
            stream = device.createStream();
            owned.push(stream::close);
            built = true;
        } finally {
            if (!built) {
                owned.close();
            }
        }
    }

    /** Enqueues the copies to the host of what a step has computed. */
    void copy(Batch batch, Buffer computed, Stream ofStep) {
        for (int i = 0; i < batch.numProcessed(); i++) {
            long from = batch.processedRow(i) * rowBytes;
            Kernels.copy(host, computed, i * rowBytes, from, rowBytes, ofStep);
        }
    }

    /** Draws the rows of a step that has ended into its batch. */
    void draw(Batch batch) {
        sampler.begin(state);
        int count = 0;
        for (int i = 0; i < batch.numProcessed(); i++) {
            int place = batch.processedRow(i);
            Sequence sequence = batch.sequence(batch.rowSequence[place]);
            // One that has ended may have lost its slot to another.
            boolean isWanted =
                    !sequence.hasEnded()
                            && batch.rowMasking[place] != Batch.Masking.HELD
                            && batch.status[place] == SampleStatus.OK;
            if (isWanted && process(batch, place, sequence, i, count)) {
                writer.draw(batch, place);
                places[count++] = place;
            }
        }
        if (count == 0) {
            return;
        }
        Kernels.copy(logits, host, 0, 0, count * rowBytes, stream);
        sampler.enqueue(logits, batch.tops(), stream);
        done.record(stream);
        while (!done.await(FOR_A_WHILE_MS)) {
            LOG.log(INFO, "rows with logits processors are still drawn");
        }
        read(batch, count);
    }

    /** Runs the processors over the from-th row and puts it to the to-th; false if one failed. */
    private boolean process(Batch batch, int place, Sequence sequence, int from, int to) {
        MemorySegment rows = host.host();
        MemorySegment.copy(rows, JAVA_FLOAT, from * rowBytes, row, 0, width);
        TokensSoFar tokens = new TokensSoFar(sequence);
        for (int i = 0; i < sequence.processors.length; i++) {
            String name = sequence.request.rowParams.processors().get(i).name();
            try {
                sequence.processors[i].process(tokens, row);
                requireLogits(name);
            } catch (RuntimeException | Error fault) { // of this request alone
                batch.fault(place, fault instanceof EngineException e ? e : failed(name, fault));
                return false;
            }
        }
        MemorySegment.copy(row, 0, rows, JAVA_FLOAT, to * rowBytes, width);
        return true;
    }

    private void requireLogits(String name) {
        for (int id = 0; id < width; id++) {
            if (!(row[id] < Float.POSITIVE_INFINITY)) {
                throw new EngineException(
                        EngineException.Code.NOT_FINITE,
                        "the logits processor %s left a logit that is no number: id=%d logit=%s"
                                .formatted(name, id, row[id]));
            }
        }
    }

    private static EngineException failed(String name, Throwable fault) {
        return new EngineException(
                EngineException.Code.INTERNAL,
                "the logits processor " + name + " has failed: " + fault,
                "logits_processors",
                fault);
    }

    private void read(Batch batch, int count) {
        sampler.read(count, tokens, logprobs, ranks, statuses);
        sampler.readTops(count, batch.tops(), topIds, topLogprobs);
        for (int i = 0; i < count; i++) {
            int place = places[i];
            batch.token[place] = tokens[i];
            batch.logprob[place] = logprobs[i];
            batch.rank[place] = ranks[i];
            batch.status[place] = statuses[i];
            int from = i * Batch.MAX_TOPS;
            int to = place * Batch.MAX_TOPS;
            System.arraycopy(topIds, from, batch.topIds, to, batch.tops());
            System.arraycopy(topLogprobs, from, batch.topLogprobs, to, batch.tops());
        }
    }

    /** What a processor sees. */
    private record TokensSoFar(Sequence sequence) implements LogitsProcessor.Context {
        @Override
        public int promptSize() {
            return sequence.prompt.length;
        }

        @Override
        public int promptId(int index) {
            return sequence.prompt[index];
        }

        @Override
        public int outputSize() {
            return sequence.answer.size();
        }

        @Override
        public int outputId(int index) {
            return sequence.answer.id(index);
        }
    }

    /** After the streams have ended. */
    @Override
    public void close() {
        owned.close();
    }
}
