package io.cortado.engine;

import static java.lang.System.Logger.Level.INFO;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.cortado.device.Device;
import io.cortado.device.Event;
import io.cortado.device.ResourceStack;
import io.cortado.device.SampleRow;
import io.cortado.device.Stream;
import io.cortado.kv.BlockFork;
import io.cortado.kv.BlockTable;
import io.cortado.model.BatchInputs;
import io.cortado.model.CausalLm;
import io.cortado.model.KvTiers;
import io.cortado.sampling.Sampler;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * A smaller model that drafts. Its keys and values lie in blocks of the same numbers as the
 * target's, so what the target shares, keeps, moves or finds again, it does as well. It reads
 * prompts in the target's own steps, and what comes after when it drafts next.
 *
 * <p>Draft tokens are drawn by the request's rule with the random numbers of their places: the same
 * numbers with which the target draws there, so that both often draw the same.
 */
final class DraftModel implements Drafter {
    private static final System.Logger LOG = System.getLogger(DraftModel.class.getName());

    /** Of the target's draws: sharing it is what makes drafts stand, and harms nothing. */
    private static final int SAMPLING_TAG = 0;

    private static final long FOR_A_WHILE_MS = 60_000;

    /** Tokens that a sequence may be behind to be drafted for at once. */
    private static final int MAX_BEHIND = 64;

    private final ResourceStack owned = new ResourceStack();
    private final CausalLm model;
    private final BatchInputs inputs;
    private final Sampler sampler;
    private final Event done;
    private final int maxTokens;
    private final int maxBlocksPerSeq;
    private final int[] tokens;
    private final float[] logprobs;
    private final int[] ranks;
    private final int[] statuses;

    private final int[] topIds;
    private final float[] topLogprobs;

    /** Drafts behind one text at most. */
    private final int children;

    private final @Nullable TreeRounds trees;

    /** Those that draft in this round. */
    private final Sequence[] active;

    private int numActive;
    private int numTokens;
    private int maxQLen;

    /**
     * Owns the model from here on; not if this throws.
     *
     * @param model that has allocated what the target has, with a row of logits for each text of a
     *     pass
     * @param vocabSize ids that may be drawn
     * @param shape of trees; null: chains alone
     */
    DraftModel(
            Device device,
            CausalLm model,
            Limits limits,
            int maxBlocksPerSeq,
            int vocabSize,
            @Nullable BeamShape shape) {
        this.model = model;
        this.maxBlocksPerSeq = maxBlocksPerSeq;
        maxTokens = limits.maxNumBatchedTokens();
        int seqs = limits.maxTables();
        children = shape == null ? 1 : shape.children();
        topIds = new int[seqs * children];
        topLogprobs = new float[seqs * children];
        tokens = new int[seqs];
        logprobs = new float[seqs];
        ranks = new int[seqs];
        statuses = new int[seqs];
        active = new Sequence[seqs];
        ResourceStack made = new ResourceStack();
        boolean built = false;
        try {
            inputs = model.createInputs();
            made.push(inputs::close);
            sampler = new Sampler(device, seqs, children, vocabSize, model.config().vocabSize());
            made.push(sampler::close);
            done = device.createEvent();
            made.push(done::close);
            TreeRounds rounds =
                    shape == null ? null : new TreeRounds(new Passes(), model.createTiers(0), seqs);
            if (rounds != null) {
                made.push(rounds::close);
            }
            trees = rounds;
            built = true;
        } finally {
            if (!built) {
                made.close();
            }
        }
        owned.push(model::close);
        owned.push(made::close);
    }

    /** Reads the tokens of the step where prompts are among them. */
    @Override
    public void follow(Batch batch, BatchInputs ofTarget, Stream stream) {
        if (!noteRead(batch)) {
            return;
        }
        int seqs = batch.numSeqs();
        model.forward(ofTarget, batch.numTokens(), seqs, 0, batch.maxQLen(), stream);
    }

    /** What this model has computed after the step; false if it can as well wait. */
    private static boolean noteRead(Batch batch) {
        boolean hasPrompts = false;
        for (int i = 0; i < batch.numSeqs(); i++) {
            hasPrompts |= batch.sequence(i).drafts != null && batch.isChunk(i);
        }
        for (int i = 0; hasPrompts && i < batch.numSeqs(); i++) {
            Drafts drafts = batch.isFork(i) ? null : batch.sequence(i).drafts;
            int end = batch.seqlensKv[i];
            if (drafts != null && drafts.computed() >= end - batch.tokensOf(i)) {
                drafts.computed(end);
            }
        }
        return hasPrompts;
    }

    @Override
    public KvTiers createTiers(CausalLm target, int hostBlocks) {
        return target.createTiers(hostBlocks, model);
    }

    @Override
    public long kvBytesPerBlock() {
        return model.kvBytesPerBlock();
    }

    @Override
    public void draft(Sequence[] sequences, int count, Stream stream) {
        catchUp(sequences, count, false);
        for (int round = 0; numActive > 0; round++) {
            run(0, stream);
            take(round);
            next(round + 1);
        }
        if (trees != null) {
            trees.draft(sequences, count, stream);
        }
    }

    /** The first round: all that the model has not computed. */
    private void catchUp(Sequence[] sequences, int count, boolean asTrees) {
        begin();
        for (int i = 0; i < count; i++) {
            Sequence sequence = sequences[i];
            Drafts drafts = sequence.drafting();
            int from = drafts.computed();
            int behind = drafts.size() - from;
            boolean isDrafted = behind <= Math.min(MAX_BEHIND, maxTokens - numTokens);
            if (isDrafted && drafts.wantsTree() == asTrees) {
                for (int position = from; position < drafts.size(); position++) {
                    addToken(sequence, position, sequence.token(position));
                }
                endSequence(sequence, behind, drafts.size());
            }
        }
    }

    /** The later ones: the token that the last one drafted. */
    private void next(int round) {
        int before = numActive;
        begin();
        for (int i = 0; i < before; i++) {
            Sequence sequence = active[i];
            Drafts drafts = sequence.drafting();
            if (drafts.tree().size() == round && round < drafts.wanted()) {
                int position = drafts.size() + round - 1;
                addToken(sequence, position, drafts.tree().token(round - 1));
                endSequence(sequence, 1, position + 1);
            }
        }
    }

    private void begin() {
        numActive = 0;
        numTokens = 0;
        maxQLen = 0;
        sampler.begin(null);
        inputs.cuSeqlensQ().setAtIndex(JAVA_INT, 0, 0);
    }

    private void addToken(Sequence sequence, int position, int id) {
        addToken(sequence, position, sequence.table.slot(position), id);
    }

    private void addToken(Sequence sequence, int position, long slot, int id) {
        int angles = sequence.isLong ? model.firstLongPosition() : 0;
        inputs.ids().setAtIndex(JAVA_INT, numTokens, id);
        inputs.positions().setAtIndex(JAVA_INT, numTokens, position + angles);
        inputs.slotMapping().setAtIndex(JAVA_LONG, numTokens, slot);
        numTokens++;
    }

    /**
     * @param length tokens of the sequence with those of this round
     */
    private void endSequence(Sequence sequence, int count, int length) {
        BlockTable table = sequence.table;
        long at = (long) numActive * maxBlocksPerSeq * Integer.BYTES;
        MemorySegment.copy(table.array(), 0, inputs.blockTable(), JAVA_INT, at, table.size());
        sequence.drafting().computed(length);
        endRow(sequence, count, length);
    }

    private void endRow(Sequence sequence, int count, int length) {
        inputs.cuSeqlensQ().setAtIndex(JAVA_INT, numActive + 1, numTokens);
        inputs.seqlensKv().setAtIndex(JAVA_INT, numActive, length);
        inputs.logitRows().setAtIndex(JAVA_INT, numActive, numTokens - 1);
        SampleRow row = sampler.add(sequence.request.rowParams.row()).withoutCounts();
        row.random(sequence.seed, length, SAMPLING_TAG);
        if (sequence.drafting().wantsTree()) {
            row.logprobs(children, false);
        }
        maxQLen = Math.max(maxQLen, count);
        active[numActive++] = sequence;
    }

    private void run(int tops, Stream stream) {
        inputs.upload(numActive, stream);
        model.forward(inputs, numTokens, numActive, numActive, maxQLen, stream);
        sampler.enqueue(model.logits(), tops, stream);
        done.record(stream);
        while (!done.await(FOR_A_WHILE_MS)) {
            LOG.log(INFO, "the draft model still runs"); // how long it may is the watchdog's to say
        }
        sampler.read(numActive, tokens, logprobs, ranks, statuses);
        sampler.readTops(numActive, tops, topIds, topLogprobs);
    }

    /** A row that failed drafts nothing. */
    private void take(int round) {
        for (int i = 0; i < numActive; i++) {
            if (statuses[i] == SampleStatus.OK && round < active[i].drafting().wanted()) {
                active[i].drafting().tree().append(tokens[i]);
            }
        }
    }

    /** Passes for trees. */
    private final class Passes implements DraftPasses {
        @Override
        public void catchUp(Sequence[] sequences, int count) {
            DraftModel.this.catchUp(sequences, count, true);
        }

        @Override
        public void begin() {
            DraftModel.this.begin();
        }

        @Override
        public void add(Sequence sequence, BlockFork fork, int depth, int token, int before) {
            int position = origin(sequence.drafting()) + depth;
            BlockRows.put(inputs, maxBlocksPerSeq, numActive, sequence.table, fork);
            addToken(sequence, position, fork.slot(position), token);
            endRow(sequence, 1, position + 1);
        }

        @Override
        public int numRows() {
            return numActive;
        }

        @Override
        public Sequence sequence(int row) {
            return active[row];
        }

        @Override
        public void run(boolean isFirst, Stream stream) {
            DraftModel.this.run(children, stream);
        }

        @Override
        public int drawn(int row) {
            return statuses[row] == SampleStatus.OK ? tokens[row] : NOTHING;
        }

        @Override
        public int top(int row, int rank) {
            return topIds[row * children + rank];
        }

        @Override
        public double topLogprob(int row, int rank) {
            return topLogprobs[row * children + rank];
        }

        @Override
        public int origin(Drafts drafts) {
            return drafts.size() - 1;
        }
    }

    @Override
    public void close() {
        owned.close();
    }
}
