package io.cortado.engine;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.cortado.device.Device;
import io.cortado.device.Event;
import io.cortado.device.Graph;
import io.cortado.device.Stream;
import io.cortado.kv.BlockTable;
import io.cortado.model.BatchInputs;
import io.cortado.model.CausalLm;
import io.cortado.sampling.Sampler;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * Runs batches on a device: fills the model's inputs, forwards, draws. A pure decode batch in which
 * nothing but numbers varies is recorded once per size and replayed after that.
 */
final class ModelExecutor implements Executor {
    private static final long STALL_MS = 600_000;

    private final Device device;
    private final CausalLm model;
    private final Stream stream;
    private final Event done;
    private final Sampler sampler;
    private final int maxBlocksPerSeq;

    // What the rows of the device's block table hold, by the stamps of the tables.
    private final long[] tableStamps;
    private final int[] tableSizes;

    /** By number of rows: bounded by the sequences that run at once. */
    private final @Nullable Graph[] graphs;

    /** Owns the device and the model from here on. */
    ModelExecutor(Device device, CausalLm model, Limits limits, int maxBlocksPerSeq) {
        this.device = device;
        this.model = model;
        this.maxBlocksPerSeq = maxBlocksPerSeq;
        tableStamps = new long[limits.maxNumSeqs()];
        tableSizes = new int[limits.maxNumSeqs()];
        stream = device.createStream();
        done = device.createEvent();
        sampler = new Sampler(device, limits.maxRows(), Batch.MAX_TOPS, model.config().vocabSize());
        graphs = new @Nullable Graph[limits.maxNumSeqs() + 1];
    }

    @Override
    public void submit(Batch batch) {
        fillInputs(batch, model.inputs());
        fillRows(batch);
        if (batch.isPureDecode() && sampler.isPlain() && batch.tops() == 0) {
            graphOf(batch).launch(stream);
        } else {
            enqueue(batch);
        }
        done.record(stream);
    }

    @Override
    public void await(Batch batch) {
        if (!done.await(STALL_MS)) {
            throw new IllegalStateException("the device is stalled: waitedMs=" + STALL_MS);
        }
        if (batch.numRows() > 0) {
            sampler.read(batch.token, batch.logprob, batch.rank, batch.status);
            sampler.readTops(batch.tops(), batch.topIds, batch.topLogprobs);
        }
    }

    private Graph graphOf(Batch batch) {
        Graph graph = graphs[batch.numRows()];
        if (graph == null) {
            stream.beginCapture();
            enqueue(batch);
            graph = stream.endCapture();
            graphs[batch.numRows()] = graph;
        }
        return graph;
    }

    private void enqueue(Batch batch) {
        model.forward(stream, batch.numTokens(), batch.numSeqs(), batch.numRows());
        if (batch.numRows() > 0) {
            sampler.enqueue(model.logits(), batch.tops(), stream);
        }
    }

    private void fillInputs(Batch batch, BatchInputs to) {
        int tokens = batch.numTokens();
        int seqs = batch.numSeqs();
        MemorySegment.copy(batch.ids, 0, to.ids(), JAVA_INT, 0, tokens);
        MemorySegment.copy(batch.positions, 0, to.positions(), JAVA_INT, 0, tokens);
        MemorySegment.copy(batch.slots, 0, to.slotMapping(), JAVA_LONG, 0, tokens);
        MemorySegment.copy(batch.cuSeqlensQ, 0, to.cuSeqlensQ(), JAVA_INT, 0, seqs + 1);
        MemorySegment.copy(batch.seqlensKv, 0, to.seqlensKv(), JAVA_INT, 0, seqs);
        MemorySegment.copy(batch.rowToken, 0, to.logitRows(), JAVA_INT, 0, batch.numRows());
        fillBlockTable(batch, to.blockTable());
    }

    /** Copies only what a row does not hold yet: while decoding one block in 16 steps. */
    private void fillBlockTable(Batch batch, MemorySegment to) {
        for (int i = 0; i < batch.numSeqs(); i++) {
            BlockTable table = batch.sequence(i).table;
            int held = tableStamps[i] == table.stamp() ? tableSizes[i] : 0;
            int size = table.size();
            if (held < size) {
                long at = ((long) i * maxBlocksPerSeq + held) * Integer.BYTES;
                MemorySegment.copy(table.array(), held, to, JAVA_INT, at, size - held);
                tableStamps[i] = table.stamp();
                tableSizes[i] = size;
            }
        }
    }

    private void fillRows(Batch batch) {
        sampler.begin();
        for (int row = 0; row < batch.numRows(); row++) {
            Sequence sequence = batch.sequence(batch.rowSequence[row]);
            int forced = batch.rowForced[row];
            RowParams params = forced == Batch.DRAW ? sequence.request.rowParams : RowParams.RAW;
            sampler.add(
                    params.temperature(),
                    params.topK(),
                    params.topP(),
                    params.minP(),
                    sequence.seed,
                    batch.rowPosition[row],
                    forced);
            for (int i = 0; i < params.biasIds().length; i++) {
                sampler.bias(params.biasIds()[i], params.biasValues()[i]);
            }
            if (forced == Batch.DRAW) {
                for (int id : sequence.stops.banned(sequence.answer.size())) {
                    sampler.bias(id, Float.NEGATIVE_INFINITY);
                }
            }
        }
        sampler.upload();
    }

    @Override
    public void close() {
        for (Graph graph : graphs) {
            if (graph != null) {
                graph.close();
            }
        }
        done.close();
        sampler.close();
        stream.close();
        model.close();
        device.close();
    }
}
