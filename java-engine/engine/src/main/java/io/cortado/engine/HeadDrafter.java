package io.cortado.engine;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import io.cortado.device.Device;
import io.cortado.device.ResourceStack;
import io.cortado.device.Stream;
import io.cortado.kv.BlockFork;
import io.cortado.kv.BlockPool;
import io.cortado.kv.KvCache;
import io.cortado.model.BatchInputs;
import io.cortado.model.CausalLm;
import io.cortado.model.DraftHead;
import io.cortado.model.DraftInputs;
import io.cortado.model.DraftTokens;
import io.cortado.model.KvTiers;
import io.cortado.sampling.Sampler;
import org.jspecify.annotations.Nullable;

/**
 * A head on the target that drafts. It reads a prompt along with the target, but for the last
 * token, behind which nothing is known yet; that one, and the tokens that were accepted, it reads
 * from the states of the target's last step when it drafts next. Tokens of steps that it missed,
 * because drafts rested, it does not read: drafts are poorer for a while, and nothing is wrong. A
 * prompt that it has not read it does not draft behind.
 */
final class HeadDrafter implements Drafter {
    /** Steps of the target that may be under way. */
    static final int STEPS = 2;

    private final ResourceStack owned = new ResourceStack();
    private final DraftHead head;

    /** What goes along with steps; these take turns as the steps do. */
    private final DraftInputs[] along = new DraftInputs[STEPS];

    private final DraftPass[] alongPasses = new DraftPass[STEPS];
    private final DraftInputs[] inputs;
    private final DraftRounds rounds;
    private final DraftTokens drafted;
    private final ReadBlocks blocks;
    private final Passes passes = new Passes();
    private final @Nullable TreeRounds trees;
    private long steps;

    // Of the draft under way.
    private Sequence[] sequences = {};
    private int count;

    /**
     * Owns the head from here on; not if this throws.
     *
     * @param head that is allocated, with a row of logits for each text of a pass
     * @param depth drafts on one way at most
     * @param shape of trees; null: chains alone
     */
    HeadDrafter(
            Device device,
            DraftHead head,
            Limits limits,
            int numBlocks,
            int maxBlocksPerSeq,
            int depth,
            @Nullable BeamShape shape) {
        this.head = head;
        blocks = new ReadBlocks(numBlocks);
        int seqs = limits.maxNumSeqs();
        inputs = new DraftInputs[depth];
        ResourceStack made = new ResourceStack();
        boolean built = false;
        try {
            for (int i = 0; i < STEPS; i++) {
                along[i] = head.createInputs();
                made.push(along[i]::close);
                alongPasses[i] = new DraftPass(along[i].batch(), seqs, maxBlocksPerSeq);
            }
            for (int round = 0; round < inputs.length; round++) {
                inputs[round] = head.createInputs();
                made.push(inputs[round]::close);
            }
            drafted = head.createDrafts(inputs.length);
            made.push(drafted::close);
            int vocab = head.draftVocabSize();
            rounds =
                    new DraftRounds(
                            device,
                            round -> inputs[round].batch(),
                            limits,
                            depth,
                            maxBlocksPerSeq,
                            vocab,
                            vocab);
            made.push(rounds::close);
            TreeRounds levels = null;
            if (shape != null) {
                BatchInputs first = inputs[0].batch();
                int most = shape.children();
                TreePass level =
                        new TreePass(device, first, limits, maxBlocksPerSeq, most, vocab, vocab);
                made.push(level::close);
                levels =
                        new TreeRounds(
                                new LevelPasses(level), head.createTiers(), limits.maxTables());
                made.push(levels::close);
            }
            trees = levels;
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
        DraftPass pass = alongPasses[(int) (steps % STEPS)];
        pass.begin();
        int start = 0;
        for (int i = 0; i < batch.numSeqs(); i++) {
            Sequence sequence = batch.sequence(i);
            Drafts drafts = sequence.drafts;
            BlockFork fork = batch.fork(i);
            if (fork != null) {
                blocks.wrote(fork, start); // from where its sequence is, just before it
                continue;
            }
            start = batch.seqlensKv[i] - batch.tokensOf(i);
            if (drafts == null) {
                blocks.wrote(sequence, start, batch.seqlensKv[i]);
                continue;
            }
            drafts.ranIn(steps, batch.cuSeqlensQ[i], start);
            lookAtReused(sequence, drafts);
            blocks.wrote(sequence, Math.max(start, drafts.computed()), batch.seqlensKv[i]);
            int end = Math.min(start + batch.knownOf(i), drafts.size() - 1);
            if (drafts.reads() && batch.isChunk(i) && end > start) {
                addRows(to, pass, sequence, start, end);
                pass.end(sequence, end);
                read(sequence, start, end);
            }
        }
        if (pass.numSeqs() > 0) {
            int tokens = pass.numTokens();
            int seqs = pass.numSeqs();
            to.upload(tokens, seqs, stream);
            head.forward(to, DraftHead.Features.TARGET, tokens, seqs, 0, pass.maxQLen(), stream);
        }
    }

    /** What the cache held of the beginning may lack the head's part of it. */
    private void lookAtReused(Sequence sequence, Drafts drafts) {
        if (drafts.takeFresh()) {
            int reused = drafts.computed();
            drafts.computed(blocks.readable(sequence, reused));
            if (drafts.computed() < reused - BlockPool.BLOCK_TOKENS) {
                drafts.cannotRead();
            }
        }
    }

    private void read(Sequence sequence, int from, int end) {
        sequence.drafting().computed(end);
        blocks.read(sequence, from, end);
    }

    @Override
    public void moved(KvCache cache) {
        blocks.moved(cache);
    }

    @Override
    public KvTiers createTiers(CausalLm target, int hostBlocks) {
        blocks.host(hostBlocks);
        return target.createTiers(hostBlocks, head);
    }

    @Override
    public long kvBytesPerBlock() {
        return head.kvBytesPerBlock();
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

    /** What the target's last step has computed of a sequence and stands; where it ends. */
    private int read(DraftPass pass, Sequence sequence) {
        Drafts drafts = sequence.drafting();
        int from = Math.max(drafts.computed(), drafts.stepStart());
        int end = drafts.size() - 1;
        boolean isThere = drafts.step() == steps && from < end;
        drafts.behind(!isThere);
        if (!isThere) {
            return 0;
        }
        addRows(inputs[0], pass, sequence, from, end);
        read(sequence, from, end);
        return end;
    }

    /** Rows of known tokens at positions [from, end) that the target's last step has computed. */
    private static void addRows(
            DraftInputs to, DraftPass pass, Sequence sequence, int from, int end) {
        Drafts drafts = sequence.drafting();
        for (int position = from; position < end; position++) {
            feature(to, pass, drafts.stepRow(position));
            pass.add(sequence, position, 0, sequence.token(position + 1));
        }
    }

    /** Where the next row of a pass has its feature. */
    private static void feature(DraftInputs to, DraftPass pass, int row) {
        to.featureRows().setAtIndex(JAVA_INT, pass.numTokens(), row);
    }

    private final class Passes implements DraftRounds.Passes {
        @Override
        public void first(DraftPass pass) {
            for (int i = 0; i < count; i++) {
                if (!sequences[i].drafting().wantsTree()) {
                    int end = read(pass, sequences[i]);
                    if (end > 0) {
                        rounds.draw(pass, 0, sequences[i], end, end + 1);
                    }
                }
            }
        }

        /** The token that was drafted, with the state that it left. */
        @Override
        public void later(DraftPass pass, int round, Sequence sequence, DraftPass before, int row) {
            int position = sequence.drafting().size() - 2 + round;
            feature(inputs[round], pass, before.lastToken(row));
            pass.add(sequence, position, 0, 0);
            pass.feed(row);
            rounds.draw(pass, round, sequence, position + 1, position + 2);
        }

        @Override
        public void enqueue(DraftPass pass, int round, Sampler sampler, Stream stream) {
            DraftInputs to = inputs[round];
            int tokens = pass.numTokens();
            int seqs = pass.numSeqs();
            to.upload(tokens, seqs, stream);
            if (round > 0) {
                to.batch().feed(drafted.pass(round - 1), tokens, stream);
            }
            DraftHead.Features features =
                    round == 0 ? DraftHead.Features.TARGET : DraftHead.Features.OWN;
            head.forward(to, features, tokens, seqs, seqs, pass.maxQLen(), stream);
            sampler.enqueue(head.logits(), 0, stream);
            head.translate(drafted, round, sampler.tokens(), seqs, stream);
        }

        @Override
        public int drafted(int round, int row, int drawn) {
            return head.targetId(drawn);
        }
    }

    /** Of trees. */
    private final class LevelPasses implements DraftPasses {
        private final TreePass level;
        private boolean isFirst;

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
                        level.draw(all[i], end + 1);
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
            // The rows of the pass before that had logits: the last of each of its texts.
            feature(inputs[0], level.rows(), level.lastToken(before));
            level.rows().add(fork.slot(position), position, token);
            level.draw(sequence, position + 2);
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
        public void run(boolean first, Stream stream) {
            isFirst = first;
            level.run(this::enqueue, stream);
        }

        private void enqueue(DraftPass pass, Sampler sampler, int tops, Stream stream) {
            int tokens = pass.numTokens();
            int seqs = pass.numSeqs();
            inputs[0].upload(tokens, seqs, stream);
            DraftHead.Features features =
                    isFirst ? DraftHead.Features.TARGET : DraftHead.Features.OWN;
            head.forward(inputs[0], features, tokens, seqs, seqs, pass.maxQLen(), stream);
            sampler.enqueue(head.logits(), tops, stream);
        }

        @Override
        public int drawn(int row) {
            return target(level.drawn(row));
        }

        @Override
        public int top(int row, int rank) {
            return target(level.top(row, rank));
        }

        private int target(int drawn) {
            return drawn < 0 ? NOTHING : head.targetId(drawn);
        }

        @Override
        public double topLogprob(int row, int rank) {
            return level.topLogprob(row, rank);
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
