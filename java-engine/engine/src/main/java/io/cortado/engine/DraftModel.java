package io.cortado.engine;

import io.cortado.device.Device;
import io.cortado.device.ResourceStack;
import io.cortado.device.Stream;
import io.cortado.kv.BlockFork;
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
    private final @Nullable TreeRounds trees;

    // Of the draft under way.
    private Sequence[] sequences = {};
    private int count;

    /**
     * Owns the model from here on; not if this throws.
     *
     * @param model that has allocated what the target has, with a row of logits for each text of a
     *     pass
     * @param vocabSize ids of the target that may be drawn
     * @param ids null: they are the target's
     * @param depth drafts on one way at most
     * @param shape of trees; null: chains alone
     */
    DraftModel(
            Device device,
            CausalLm model,
            Limits limits,
            int numBlocks,
            int maxBlocksPerSeq,
            int vocabSize,
            @Nullable IdMap ids,
            int depth,
            @Nullable BeamShape shape) {
        this.model = model;
        this.ids = ids;
        blocks = new ReadBlocks(numBlocks);
        mostTokens = Math.min(MOST_AT_ONCE, limits.maxNumBatchedTokens());
        inputs = new BatchInputs[depth];
        ResourceStack made = new ResourceStack();
        boolean built = false;
        try {
            for (int round = 0; round < inputs.length; round++) {
                inputs[round] = model.createInputs();
                made.push(inputs[round]::close);
            }
            int width = model.config().vocabSize();
            int drawable = ids == null ? Math.min(vocabSize, width) : width;
            rounds =
                    new DraftRounds(
                            device,
                            round -> inputs[round],
                            limits,
                            depth,
                            maxBlocksPerSeq,
                            drawable,
                            width);
            made.push(rounds::close);
            TreeRounds levels = null;
            if (shape != null) {
                BatchInputs first = inputs[0];
                int most = shape.children();
                TreePass level =
                        new TreePass(device, first, limits, maxBlocksPerSeq, most, drawable, width);
                made.push(level::close);
                DraftPasses of = new LevelPasses(level);
                levels = new TreeRounds(of, model.createTiers(0), limits.maxTables());
                made.push(levels::close);
            }
            trees = levels;
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
            boolean mayRead = ids == null && !batch.isFork(i);
            reads |= mayRead && drafts != null && drafts.reads() && batch.isChunk(i);
        }
        int start = 0;
        for (int i = 0; i < batch.numSeqs(); i++) {
            BlockFork fork = batch.fork(i);
            if (fork == null) {
                start = batch.seqlensKv[i] - batch.tokensOf(i);
                note(batch.sequence(i), start, batch, i, reads);
            } else {
                blocks.wrote(fork, start); // from where its sequence is, just before it
            }
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
        if (trees != null) {
            trees.draft(all, number, stream);
        }
    }

    /** All that the model has not read of a sequence, as far as there is room; where it ends. */
    private int read(DraftPass pass, Sequence sequence) {
        Drafts drafts = sequence.drafting();
        int from = drafts.computed();
        int end = Math.min(drafts.size(), from + mostTokens - pass.numTokens());
        drafts.behind(end < drafts.size());
        for (int position = from; position < end; position++) {
            pass.add(sequence, position, angles(sequence), known(sequence.token(position)));
        }
        drafts.computed(end);
        blocks.read(sequence, from, end);
        return from < end ? end : 0;
    }

    private int angles(Sequence sequence) {
        return sequence.isLong ? model.firstLongPosition() : 0;
    }

    private int known(int id) {
        return ids == null ? id : ids.toDraft(id);
    }

    private int target(int drawn) {
        return ids == null || drawn < 0 ? drawn : ids.toTarget(drawn);
    }

    private final class Passes implements DraftRounds.Passes {
        @Override
        public void first(DraftPass pass) {
            for (int i = 0; i < count; i++) {
                if (!sequences[i].drafting().wantsTree()) {
                    int end = read(pass, sequences[i]);
                    if (end > 0) {
                        rounds.draw(pass, 0, sequences[i], end, end);
                    }
                }
            }
        }

        @Override
        public void later(DraftPass pass, int round, Sequence sequence, DraftPass before, int row) {
            int position = sequence.drafting().size() + round - 1;
            pass.add(sequence, position, angles(sequence), 0);
            pass.feed(row);
            sequence.drafting().computed(position + 1);
            blocks.read(sequence, position, position + 1);
            rounds.draw(pass, round, sequence, position + 1, position + 1);
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
            return target(drawn);
        }
    }

    /** Of trees. */
    private final class LevelPasses implements DraftPasses {
        private final TreePass level;

        LevelPasses(TreePass level) {
            this.level = level;
        }

        @Override
        public void catchUp(Sequence[] all, int number) {
            level.begin();
            for (int i = 0; i < number; i++) {
                if (all[i].drafting().wantsTree()) {
                    int end = read(level.rows(), all[i]);
                    if (end > 0) {
                        level.draw(all[i], end);
                        level.rows().end(all[i], end);
                    }
                }
            }
        }

        @Override
        public void begin() {
            level.begin();
        }

        @Override
        public void add(Sequence sequence, BlockFork fork, int depth, int token, int before) {
            int position = origin(sequence.drafting()) + depth;
            level.rows().add(fork.slot(position), position + angles(sequence), known(token));
            level.draw(sequence, position + 1);
            level.rows().end(sequence, fork, position + 1);
        }

        @Override
        public int numRows() {
            return level.rows().numSeqs();
        }

        @Override
        public Sequence sequence(int row) {
            return level.rows().sequence(row);
        }

        @Override
        public void run(boolean isFirst, Stream stream) {
            level.run(this::enqueue, stream);
        }

        private void enqueue(DraftPass pass, Sampler sampler, int tops, Stream stream) {
            int seqs = pass.numSeqs();
            inputs[0].upload(seqs, stream);
            model.forward(inputs[0], pass.numTokens(), seqs, seqs, pass.maxQLen(), stream);
            sampler.enqueue(model.logits(), tops, stream);
        }

        @Override
        public int drawn(int row) {
            return sequence(row).drafting().isBehind() ? NOTHING : target(level.drawn(row));
        }

        @Override
        public int top(int row, int rank) {
            return target(level.top(row, rank));
        }

        @Override
        public double topLogprob(int row, int rank) {
            return level.topLogprob(row, rank);
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
