package io.cortado.engine;

import io.cortado.device.Device;
import io.cortado.device.ResourceStack;
import io.cortado.device.Stream;
import io.cortado.kv.KvCache;
import io.cortado.model.BatchInputs;
import io.cortado.model.CausalLm;
import io.cortado.model.KvTiers;
import io.cortado.sampling.Sampler;
import org.jspecify.annotations.Nullable;

/**
 * A smaller model that drafts. Its keys and values lie in blocks of the same numbers as the
 * target's, so what the target shares, keeps, moves or finds again, it does as well. It reads
 * prompts in the target's own steps while drafts are made, and all else when it drafts next.
 */
final class DraftModel implements Drafter {
    /** Tokens that are read before drafts, of all sequences; who is further behind drafts later. */
    private static final int MOST_AT_ONCE = 512;

    private final ResourceStack owned = new ResourceStack();
    private final CausalLm model;
    private final BatchInputs[] inputs;
    private final DraftRounds rounds;
    private final ReadBlocks blocks;
    private final int mostTokens;

    /** Null: its ids are the target's. */
    private final @Nullable IdMap ids;

    private final Passes passes = new Passes();

    // Of the draft under way.
    private Sequence[] sequences = {};
    private int count;

    /**
     * Owns the model from here on; not if this throws.
     *
     * @param model that has allocated what the target has, with a row of logits for each sequence
     * @param vocabSize ids of the target that may be drawn
     * @param ids null: they are the target's
     */
    DraftModel(
            Device device,
            CausalLm model,
            Limits limits,
            int numBlocks,
            int maxBlocksPerSeq,
            int vocabSize,
            @Nullable IdMap ids) {
        this.model = model;
        this.ids = ids;
        blocks = new ReadBlocks(numBlocks);
        mostTokens = Math.min(MOST_AT_ONCE, limits.maxNumBatchedTokens());
        inputs = new BatchInputs[limits.maxDrafts()];
        ResourceStack made = new ResourceStack();
        boolean built = false;
        try {
            for (int round = 0; round < inputs.length; round++) {
                inputs[round] = model.createInputs();
                made.push(inputs[round]::close);
            }
            int width = model.config().vocabSize();
            rounds =
                    new DraftRounds(
                            device,
                            round -> inputs[round],
                            limits,
                            maxBlocksPerSeq,
                            ids == null ? Math.min(vocabSize, width) : width,
                            width);
            made.push(rounds::close);
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
        boolean reads = false;
        for (int i = 0; i < batch.numSeqs(); i++) {
            Drafts drafts = batch.sequence(i).drafts;
            if (drafts != null && drafts.takeFresh()) {
                drafts.computed(blocks.readable(batch.sequence(i), drafts.computed()));
            }
            reads |= ids == null && drafts != null && drafts.reads() && batch.isChunk(i);
        }
        for (int i = 0; i < batch.numSeqs(); i++) {
            note(batch.sequence(i), batch.seqlensKv[i] - batch.tokensOf(i), batch, i, reads);
        }
        if (reads) {
            int seqs = batch.numSeqs();
            model.forward(ofTarget, batch.numTokens(), seqs, 0, batch.maxQLen(), stream);
        }
    }

    private void note(Sequence sequence, int start, Batch batch, int index, boolean reads) {
        Drafts drafts = sequence.drafts;
        int end = batch.seqlensKv[index];
        int computed = drafts == null ? 0 : drafts.computed();
        blocks.wrote(sequence, Math.max(start, computed), end);
        if (reads && drafts != null && computed >= start) {
            blocks.read(sequence, start, end);
            drafts.computed(Math.max(computed, end));
        }
    }

    @Override
    public void moved(KvCache cache) {
        blocks.moved(cache);
    }

    @Override
    public KvTiers createTiers(CausalLm target, int hostBlocks) {
        blocks.host(hostBlocks);
        return target.createTiers(hostBlocks, model);
    }

    @Override
    public long kvBytesPerBlock() {
        return model.kvBytesPerBlock();
    }

    @Override
    public void draft(Sequence[] all, int number, Stream stream) {
        sequences = all;
        count = number;
        rounds.run(passes, stream);
    }

    private final class Passes implements DraftRounds.Passes {
        /** All that the model has not read, as far as there is room. */
        @Override
        public void first(DraftPass pass) {
            for (int i = 0; i < count; i++) {
                Sequence sequence = sequences[i];
                Drafts drafts = sequence.drafting();
                int from = drafts.computed();
                int end = Math.min(drafts.size(), from + mostTokens - pass.numTokens());
                drafts.behind(end < drafts.size());
                for (int position = from; position < end; position++) {
                    add(pass, sequence, position, known(sequence.token(position)));
                }
                if (from < end) {
                    end(pass, 0, sequence, from, end);
                }
            }
        }

        @Override
        public void later(DraftPass pass, int round, Sequence sequence, DraftPass before, int row) {
            int position = sequence.drafting().size() + round - 1;
            add(pass, sequence, position, 0);
            pass.feed(row);
            end(pass, round, sequence, position, position + 1);
        }

        private void add(DraftPass pass, Sequence sequence, int position, int id) {
            int angles = sequence.isLong ? model.firstLongPosition() : 0;
            pass.add(sequence, position, angles, id);
        }

        private void end(DraftPass pass, int round, Sequence sequence, int from, int to) {
            sequence.drafting().computed(to);
            blocks.read(sequence, from, to);
            rounds.draw(pass, round, sequence, to, to);
        }

        @Override
        public void enqueue(DraftPass pass, int round, Sampler sampler, Stream stream) {
            BatchInputs to = inputs[round];
            int seqs = pass.numSeqs();
            to.upload(seqs, stream);
            if (round > 0) {
                to.feed(rounds.drawn(round - 1), pass.numTokens(), stream);
            }
            model.forward(to, pass.numTokens(), seqs, seqs, pass.maxQLen(), stream);
            sampler.enqueue(model.logits(), 0, stream);
        }

        @Override
        public int drafted(int round, int row, int drawn) {
            return ids == null ? drawn : ids.toTarget(drawn);
        }

        private int known(int id) {
            return ids == null ? id : ids.toDraft(id);
        }
    }

    @Override
    public void close() {
        owned.close();
    }
}
