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
import io.cortado.model.DraftHead;
import io.cortado.model.DraftInputs;
import io.cortado.model.DraftTokens;
import io.cortado.model.KvTiers;
import io.cortado.sampling.Sampler;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * A head on the target that drafts. It reads a prompt along with the target, but for the last
 * token, behind which nothing is known yet; that one, and the tokens that were accepted, it reads
 * from the states of the target's last step when it drafts next. Tokens of steps that it missed,
 * because drafts rested, it does not read: drafts are poorer for a while, and nothing is wrong.
 *
 * <p>Draft tokens are drawn as {@link DraftModel} does it, from the head's vocabulary.
 */
final class HeadDrafter implements Drafter {
    private static final System.Logger LOG = System.getLogger(HeadDrafter.class.getName());
    private static final int SAMPLING_TAG = 0;
    private static final long FOR_A_WHILE_MS = 60_000;

    /** Steps of the target that may be under way. */
    private static final int STEPS = 2;

    private final ResourceStack owned = new ResourceStack();
    private final DraftHead head;

    /** What goes along with steps; these take turns as the steps do. */
    private final DraftInputs[] along = new DraftInputs[STEPS];

    private final DraftInputs inputs;
    private final DraftTokens drafted;
    private final Sampler sampler;
    private final Event done;
    private final int maxBlocksPerSeq;
    private final int[] topIds;
    private final float[] topLogprobs;

    /** Drafts behind one text at most. */
    private final int children;

    private final @Nullable TreeRounds trees;
    private final Sequence[] active;

    /** Where the last row of each of them is in the pass under way. */
    private final int[] lastRows;

    /** The same of the pass before, of trees. */
    private final int[] rowsBefore;

    private long steps;
    private int numActive;
    private int numTokens;
    private int maxQLen;

    /**
     * Owns the head from here on; not if this throws.
     *
     * @param head that is allocated, with a row of logits for each text of a pass
     * @param shape of trees; null: chains alone
     */
    HeadDrafter(
            Device device,
            DraftHead head,
            Limits limits,
            int maxBlocksPerSeq,
            @Nullable BeamShape shape) {
        this.head = head;
        this.maxBlocksPerSeq = maxBlocksPerSeq;
        int seqs = limits.maxTables();
        children = shape == null ? 1 : shape.children();
        topIds = new int[seqs * children];
        topLogprobs = new float[seqs * children];
        active = new Sequence[seqs];
        lastRows = new int[seqs];
        rowsBefore = new int[seqs];
        ResourceStack made = new ResourceStack();
        boolean built = false;
        try {
            for (int i = 0; i < STEPS; i++) {
                along[i] = head.createInputs();
                made.push(along[i]::close);
            }
            inputs = head.createInputs();
            made.push(inputs::close);
            drafted = head.createDrafts(1);
            made.push(drafted::close);
            int vocab = head.draftVocabSize();
            sampler = new Sampler(device, seqs, children, vocab, vocab);
            made.push(sampler::close);
            done = device.createEvent();
            made.push(done::close);
            TreeRounds rounds =
                    shape == null ? null : new TreeRounds(new Passes(), head.createTiers(), seqs);
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
        owned.push(head::close);
        owned.push(made::close);
    }

    /** Reads what the step computes of prompts, as far as the token behind is known. */
    @Override
    public void follow(Batch batch, BatchInputs ofTarget, Stream stream) {
        steps++;
        DraftInputs to = along[(int) (steps % STEPS)];
        begin(to);
        for (int i = 0; i < batch.numSeqs(); i++) {
            Sequence sequence = batch.sequence(i);
            Drafts drafts = sequence.drafts;
            if (drafts == null || batch.isFork(i)) {
                continue;
            }
            int row = batch.cuSeqlensQ[i];
            int start = batch.seqlensKv[i] - batch.tokensOf(i);
            drafts.ranIn(steps, row, start);
            int end = Math.min(start + batch.knownOf(i), drafts.size() - 1);
            if (batch.isChunk(i) && end > start) {
                addRows(to, sequence, start, end, row);
                endSequence(to, sequence, end);
                drafts.computed(end);
            }
        }
        if (numActive > 0) {
            to.upload(numTokens, numActive, stream);
            var features = DraftHead.Features.TARGET;
            head.forward(to, features, numTokens, numActive, 0, maxQLen, stream);
        }
    }

    @Override
    public KvTiers createTiers(CausalLm target, int hostBlocks) {
        return target.createTiers(hostBlocks, head);
    }

    @Override
    public long kvBytesPerBlock() {
        return head.kvBytesPerBlock();
    }

    @Override
    public void draft(Sequence[] sequences, int count, Stream stream) {
        catchUp(sequences, count, false);
        for (int round = 0; numActive > 0; round++) {
            run(round == 0, 0, stream);
            take(round);
            next(round + 1);
        }
        if (trees != null) {
            trees.draft(sequences, count, stream);
        }
    }

    /** The first round: what the target's last step has computed and stands. */
    private void catchUp(Sequence[] sequences, int count, boolean asTrees) {
        begin(inputs);
        sampler.begin(null);
        for (int i = 0; i < count; i++) {
            Sequence sequence = sequences[i];
            Drafts drafts = sequence.drafting();
            int from = Math.max(drafts.computed(), drafts.stepStart());
            int end = drafts.size() - 1;
            boolean isDrafted = drafts.step() == steps && from < end;
            if (isDrafted && drafts.wantsTree() == asTrees) {
                addRows(inputs, sequence, from, end, drafts.stepRow() + from - drafts.stepStart());
                drafts.computed(end);
                endDrafting(sequence, end);
            }
        }
    }

    /** The later ones: the token that the last one drafted, with the state that it left. */
    private void next(int round) {
        int before = numActive;
        begin(inputs);
        sampler.begin(null);
        for (int i = 0; i < before; i++) {
            Sequence sequence = active[i];
            Drafts drafts = sequence.drafting();
            if (drafts.tree().size() == round && round < drafts.wanted()) {
                int position = drafts.size() - 2 + round;
                long slot = sequence.table.slot(position);
                addRow(inputs, position, slot, drafts.tree().token(round - 1), lastRows[i]);
                endDrafting(sequence, position + 1);
            }
        }
    }

    private void begin(DraftInputs to) {
        numActive = 0;
        numTokens = 0;
        maxQLen = 0;
        to.batch().cuSeqlensQ().setAtIndex(JAVA_INT, 0, 0);
    }

    /** Rows of known tokens at positions [from, end), whose states begin at a row. */
    private void addRows(DraftInputs to, Sequence sequence, int from, int end, int row) {
        for (int position = from; position < end; position++) {
            long slot = sequence.table.slot(position);
            addRow(to, position, slot, sequence.token(position + 1), row + position - from);
        }
    }

    private void addRow(DraftInputs to, int position, long slot, int nextId, int featureRow) {
        BatchInputs batch = to.batch();
        batch.ids().setAtIndex(JAVA_INT, numTokens, nextId);
        batch.positions().setAtIndex(JAVA_INT, numTokens, position);
        batch.slotMapping().setAtIndex(JAVA_LONG, numTokens, slot);
        to.featureRows().setAtIndex(JAVA_INT, numTokens, featureRow);
        numTokens++;
    }

    /**
     * @param length tokens of the sequence with those of this pass
     */
    private void endSequence(DraftInputs to, Sequence sequence, int length) {
        BatchInputs batch = to.batch();
        BlockTable table = sequence.table;
        long at = (long) numActive * maxBlocksPerSeq * Integer.BYTES;
        MemorySegment.copy(table.array(), 0, batch.blockTable(), JAVA_INT, at, table.size());
        endRows(to, sequence, length);
    }

    private void endRows(DraftInputs to, Sequence sequence, int length) {
        BatchInputs batch = to.batch();
        int first = batch.cuSeqlensQ().getAtIndex(JAVA_INT, numActive);
        batch.cuSeqlensQ().setAtIndex(JAVA_INT, numActive + 1, numTokens);
        batch.seqlensKv().setAtIndex(JAVA_INT, numActive, length);
        maxQLen = Math.max(maxQLen, numTokens - first);
        active[numActive++] = sequence;
    }

    private void endDrafting(Sequence sequence, int length) {
        addLogits(sequence, length);
        endSequence(inputs, sequence, length);
    }

    private void addLogits(Sequence sequence, int length) {
        inputs.batch().logitRows().setAtIndex(JAVA_INT, numActive, numTokens - 1);
        lastRows[numActive] = numTokens - 1;
        SampleRow row = sampler.add(sequence.request.rowParams.row()).withoutCounts();
        row.random(sequence.seed, length + 1, SAMPLING_TAG);
        if (sequence.drafting().wantsTree()) {
            row.logprobs(children, false);
        }
    }

    private void run(boolean isFirst, int tops, Stream stream) {
        var features = isFirst ? DraftHead.Features.TARGET : DraftHead.Features.OWN;
        inputs.upload(numTokens, numActive, stream);
        head.forward(inputs, features, numTokens, numActive, numActive, maxQLen, stream);
        sampler.enqueue(head.logits(), tops, stream);
        head.translate(drafted, 0, sampler.tokens(), numActive, stream);
        drafted.download(1, stream);
        done.record(stream);
        while (!done.await(FOR_A_WHILE_MS)) {
            LOG.log(INFO, "the draft head still runs"); // how long it may is the watchdog's to say
        }
        sampler.readTops(numActive, tops, topIds, topLogprobs);
    }

    private void take(int round) {
        for (int i = 0; i < numActive; i++) {
            int token = drafted.token(0, i);
            Drafts drafts = active[i].drafting();
            if (token >= 0 && round < drafts.wanted()) {
                drafts.tree().append(token);
            }
        }
    }

    /** Passes for trees. */
    private final class Passes implements DraftPasses {
        @Override
        public void catchUp(Sequence[] sequences, int count) {
            HeadDrafter.this.catchUp(sequences, count, true);
        }

        @Override
        public void begin() {
            HeadDrafter.this.begin(inputs);
            sampler.begin(null);
        }

        @Override
        public void add(Sequence sequence, BlockFork fork, int depth, int token, int before) {
            int position = origin(sequence.drafting()) + depth;
            BatchInputs batch = inputs.batch();
            BlockRows.put(batch, maxBlocksPerSeq, numActive, sequence.table, fork);
            // The rows of the pass before that had logits: the last of each of its texts.
            addRow(inputs, position, fork.slot(position), token, rowsBefore[before]);
            addLogits(sequence, position + 1);
            endRows(inputs, sequence, position + 1);
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
            HeadDrafter.this.run(isFirst, children, stream);
            System.arraycopy(lastRows, 0, rowsBefore, 0, numActive);
        }

        @Override
        public int drawn(int row) {
            return Math.max(NOTHING, drafted.token(0, row));
        }

        @Override
        public int top(int row, int rank) {
            return head.targetId(topIds[row * children + rank]);
        }

        @Override
        public double topLogprob(int row, int rank) {
            return topLogprobs[row * children + rank];
        }

        @Override
        public int origin(Drafts drafts) {
            return drafts.size() - 2;
        }
    }

    @Override
    public void close() {
        owned.close();
    }
}
