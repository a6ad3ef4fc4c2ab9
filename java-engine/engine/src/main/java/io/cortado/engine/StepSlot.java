package io.cortado.engine;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.cortado.device.Buffer;
import io.cortado.device.Device;
import io.cortado.device.Event;
import io.cortado.device.Graph;
import io.cortado.device.ResourceStack;
import io.cortado.device.Stream;
import io.cortado.kv.BlockFork;
import io.cortado.kv.BlockTable;
import io.cortado.kv.KvCache;
import io.cortado.model.BatchInputs;
import io.cortado.model.CausalLm;
import io.cortado.model.KvTiers;
import io.cortado.model.Pooler;
import io.cortado.sampling.SampleState;
import io.cortado.sampling.Sampler;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * One of the two places that steps take turns in: what a step reads and gives, the event of its
 * end, and the graphs that were recorded on these buffers. It is filled while the step of the other
 * place runs.
 */
final class StepSlot implements AutoCloseable {
    private static final long NOT_A_TABLE = 0;

    private final ResourceStack owned = new ResourceStack();
    private final CausalLm model;
    private final GraphSizes sizes;
    private final BatchInputs inputs;
    private final KvTiers tiers;
    private final KvTiers.Pairs pairs;
    private final Sampler sampler;
    private final SampleState state;
    private final RowWriter rows;
    private final Device device;
    private final int vocabSize;
    private final Pooler pooler;
    private final @Nullable Drafter drafter;
    private final @Nullable StepSender sender;
    private final CandidateRule candidates;
    private final Event done;
    private final int maxBlocksPerSeq;

    // What the rows of the device's block table hold, by the stamps of the tables.
    private final long[] tableStamps;
    private final int[] tableSizes;

    /** By padded number of sequences. */
    private final @Nullable Graph[] graphs;

    /** Made where the first request asks for processors. */
    private @Nullable ProcessedRows processed;

    private @Nullable Batch batch;
    private int numTokens;
    private int numSeqs;
    private int numRows;

    /**
     * @param state of both places
     * @param vocabSize ids that may be drawn
     * @param drafter goes along with the model; null: there is none
     * @param sender tells other ranks of the model; null: there are none
     */
    StepSlot(
            Device device,
            CausalLm model,
            KvTiers tiers,
            Limits limits,
            GraphSizes sizes,
            int maxBlocksPerSeq,
            SampleState state,
            int vocabSize,
            @Nullable Drafter drafter,
            @Nullable StepSender sender) {
        this.drafter = drafter;
        this.sender = sender;
        this.device = device;
        this.state = state;
        this.vocabSize = vocabSize;
        this.model = model;
        this.tiers = tiers;
        this.maxBlocksPerSeq = maxBlocksPerSeq;
        this.sizes = sizes;
        tableStamps = new long[limits.maxTables()];
        tableSizes = new int[limits.maxTables()];
        graphs = new @Nullable Graph[limits.maxNumSeqs() + 1];
        boolean built = false;
        try {
            inputs = model.createInputs();
            owned.push(inputs::close);
            pairs = tiers.createPairs();
            owned.push(pairs::close);
            int width = model.config().vocabSize();
            sampler = new Sampler(device, limits.maxRows(), Batch.MAX_TOPS, vocabSize, width);
            owned.push(sampler::close);
            rows = new RowWriter(sampler, width);
            candidates = new CandidateRule(model.mostCandidates());
            inputs.rowCandidates().drawableIds(vocabSize);
            weighRows();
            pooler = model.createPooler();
            owned.push(pooler::close);
            done = device.createEvent();
            owned.push(done::close);
            built = true;
        } finally {
            if (!built) {
                owned.close();
            }
        }
    }

    private void weighRows() {
        Buffer masses = model.logitMasses();
        Buffer largest = model.largestLogits();
        if (masses != null && largest != null) {
            sampler.weighRows(masses, largest);
        }
    }

    boolean holds(Batch submitted) {
        return batch == submitted;
    }

    /** Tokens that the last step here draws, on the device. */
    Buffer tokens() {
        return sampler.tokens();
    }

    /**
     * Fills the inputs and enqueues the step.
     *
     * @param cache whose moves come before it
     * @param tokensBefore what the step before draws
     */
    void submit(Batch next, KvCache cache, Buffer tokensBefore, Stream stream) {
        if (cache.hasMoves()) {
            move(cache, stream);
        }
        batch = next;
        numTokens = next.numTokens();
        numSeqs = next.numSeqs();
        numRows = next.numRows();
        sampler.begin(state);
        if (next.numGuided() > 0) {
            submitGuided(next, cache, tokensBefore, stream);
            return;
        }
        rows.addAll(next);
        boolean isReplayable =
                model.isCapturable()
                        && next.isPureDecode()
                        && sampler.isPlain()
                        && next.tops() == 0
                        && next.numProcessed() == 0;
        if (isReplayable) {
            pad(next);
        }
        fillInputs(next);
        tell(next, cache, stream);
        if (isReplayable && sizes.warmUp(numSeqs)) {
            graph(tokensBefore, stream).launch(stream);
        } else {
            enqueue(next.maxQLen(), next.tops(), next.isFed() ? tokensBefore : null, stream);
        }
        follow(next, stream);
        end(next, stream);
    }

    /** The device computes the logits while the masks of what may be drawn from them are made. */
    private void submitGuided(Batch next, KvCache cache, Buffer tokensBefore, Stream stream) {
        fillInputs(next);
        tell(next, cache, stream);
        enqueueLogits(next.maxQLen(), next.isFed() ? tokensBefore : null, stream);
        follow(next, stream);
        Guides.look(next);
        rows.addAll(next);
        sampler.enqueue(model.logits(), next.tops(), stream);
        end(next, stream);
    }

    private void tell(Batch next, KvCache cache, Stream stream) {
        if (sender != null) {
            sender.send(next, inputs, cache, stream);
        }
    }

    private void follow(Batch next, Stream stream) {
        if (drafter != null) {
            drafter.follow(next, inputs, stream);
        }
    }

    private void end(Batch next, Stream stream) {
        if (next.numProcessed() > 0) {
            processed().copy(next, model.logits(), stream);
        }
        done.record(stream);
    }

    private void move(KvCache cache, Stream stream) {
        pairs.toHost(cache.toHost().array(), cache.toHost().size());
        pairs.toDevice(cache.toDevice().array(), cache.toDevice().size());
        pairs.within(cache.copies().array(), cache.copies().size());
        tiers.enqueue(pairs, stream);
        if (drafter != null) {
            drafter.moved(cache);
        }
    }

    /** Waits for the step; false if the time was over before. */
    boolean await(long timeoutMs) {
        return done.await(timeoutMs);
    }

    /**
     * Copies what the ended step has drawn to its batch, and what it has pooled to its requests.
     * Rows with processors are drawn only here.
     */
    void read(Batch ended) {
        int rows = ended.numRows();
        if (rows > 0) {
            sampler.read(rows, ended.token, ended.logprob, ended.rank, ended.status);
            sampler.readTops(rows, ended.tops(), ended.topIds, ended.topLogprobs);
        }
        PooledSegments sums = ended.pooled;
        for (int i = 0; i < sums.numFinished(); i++) {
            PooledRow pooled = ended.sequence(sums.finishedSequences[i]).request.pooled;
            if (pooled != null) {
                pooler.read(i, pooled.sums);
            }
        }
        if (ended.numProcessed() > 0) {
            processed().draw(ended);
        }
    }

    private void pad(Batch next) {
        int size = sizes.of(numSeqs);
        next.pad(size);
        for (int row = numRows; row < size; row++) {
            rows.addUnread();
        }
        numTokens = size;
        numSeqs = size;
        numRows = size;
    }

    /** Replays update nothing but the buffers, which are the same for every step here. */
    private Graph graph(Buffer tokensBefore, Stream stream) {
        Graph graph = graphs[numSeqs];
        if (graph == null) {
            stream.beginCapture();
            enqueue(1, 0, tokensBefore, stream);
            graph = stream.endCapture();
            owned.push(graph::close);
            graphs[numSeqs] = graph;
        }
        return graph;
    }

    private void enqueue(int maxQLen, int tops, @Nullable Buffer tokensBefore, Stream stream) {
        enqueueLogits(maxQLen, tokensBefore, stream);
        if (numRows > 0) {
            sampler.enqueue(model.logits(), tops, stream);
        }
    }

    private void enqueueLogits(int maxQLen, @Nullable Buffer tokensBefore, Stream stream) {
        inputs.upload(numSeqs, stream);
        if (tokensBefore != null) {
            inputs.feed(tokensBefore, numTokens, stream);
            if (sender != null) {
                sender.shareIds(inputs, numTokens, stream);
            }
        }
        model.forward(inputs, numTokens, numSeqs, numRows, maxQLen, stream);
        model.pool(pooler, numTokens, stream);
    }

    private void fillInputs(Batch from) {
        BatchInputs to = inputs;
        MemorySegment.copy(from.ids, 0, to.ids(), JAVA_INT, 0, numTokens);
        MemorySegment.copy(from.fedRows, 0, to.fedRows(), JAVA_INT, 0, numTokens);
        MemorySegment.copy(from.positions, 0, to.positions(), JAVA_INT, 0, numTokens);
        moveLongOnes(from, to.positions());
        MemorySegment.copy(from.slots, 0, to.slotMapping(), JAVA_LONG, 0, numTokens);
        MemorySegment.copy(from.cuSeqlensQ, 0, to.cuSeqlensQ(), JAVA_INT, 0, numSeqs + 1);
        MemorySegment.copy(from.seqlensKv, 0, to.seqlensKv(), JAVA_INT, 0, numSeqs);
        MemorySegment.copy(from.rowToken, 0, to.logitRows(), JAVA_INT, 0, numRows);
        if (sender != null) {
            candidates.fill(from, to.rowCandidates());
        }
        fillBlockTable(from, to.blockTable());
        to.copies().set(from.copies, from.numCopies());
        PooledSegments sums = from.pooled;
        pooler.write(sums.segments, sums.size(), sums.finishedSums, sums.numFinished());
    }

    /** The angles of long sequences stand behind the others. */
    private void moveLongOnes(Batch from, MemorySegment positions) {
        for (int i = 0; i < from.numSeqs(); i++) {
            if (from.sequence(i).isLong) {
                for (int t = from.cuSeqlensQ[i]; t < from.cuSeqlensQ[i + 1]; t++) {
                    int position = from.positions[t] + model.firstLongPosition();
                    positions.setAtIndex(JAVA_INT, t, position);
                }
            }
        }
    }

    /** Copies only what a row does not hold yet: while decoding one block in 16 steps. */
    private void fillBlockTable(Batch from, MemorySegment to) {
        for (int i = 0; i < from.numSeqs(); i++) {
            BlockTable table = from.sequence(i).table;
            BlockFork fork = from.fork(i);
            if (fork != null) {
                BlockRows.put(inputs, maxBlocksPerSeq, i, table, fork);
                tableStamps[i] = NOT_A_TABLE;
                continue;
            }
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

    private ProcessedRows processed() {
        ProcessedRows made = processed;
        if (made == null) {
            made = new ProcessedRows(device, state, model.config().vocabSize(), vocabSize);
            owned.push(made::close);
            processed = made;
        }
        return made;
    }

    /** After the stream has ended. */
    @Override
    public void close() {
        owned.close();
    }
}
