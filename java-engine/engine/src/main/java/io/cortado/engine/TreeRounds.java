package io.cortado.engine;

import io.cortado.device.Stream;
import io.cortado.kv.BlockFork;
import io.cortado.kv.BlockPool;
import io.cortado.kv.BlockTable;
import io.cortado.model.KvTiers;
import io.cortado.speculate.DraftTree;
import java.util.Arrays;

/**
 * Drafts trees, a level of all sequences a pass. Behind each text the request's own draw is the
 * likeliest draft, since the target draws with the same random numbers, then the likeliest tokens.
 */
final class TreeRounds implements AutoCloseable {
    private final DraftPasses passes;
    private final KvTiers caches;
    private final KvTiers.Pairs pairs;
    private final int maxRows;

    /** Behind which draft each row of the pass goes on. */
    private final int[] drafts;

    // The sequences of the pass before, and their first rows there.
    private final Sequence[] seqs;
    private final int[] firstRows;

    private int[] copies = new int[64];
    private int numCopies;

    /**
     * Owns the tiers from here on.
     *
     * @param caches of what drafts
     * @param maxRows of a pass
     */
    TreeRounds(DraftPasses passes, KvTiers caches, int maxRows) {
        this.passes = passes;
        this.caches = caches;
        this.maxRows = maxRows;
        drafts = new int[maxRows];
        seqs = new Sequence[maxRows];
        firstRows = new int[maxRows];
        boolean built = false;
        try {
            pairs = caches.createPairs();
            built = true;
        } finally {
            if (!built) {
                caches.close();
            }
        }
    }

    /** For those of the sequences that want trees. */
    void draft(Sequence[] sequences, int count, Stream stream) {
        passes.catchUp(sequences, count);
        Arrays.fill(drafts, 0, passes.numRows(), DraftTree.ROOT);
        boolean isFirst = true;
        while (passes.numRows() > 0) {
            passes.run(isFirst, stream);
            isFirst = false;
            takeLevel();
            nextLevel(stream);
        }
        for (int i = 0; i < count; i++) {
            Drafts of = sequences[i].drafting();
            if (of.wantsTree()) {
                of.beam().select(of.tree());
            }
        }
    }

    /** What the rows of the pass have drafted. */
    private void takeLevel() {
        for (int row = 0; row < passes.numRows(); row++) {
            DraftBeam beam = passes.sequence(row).drafting().beam();
            int children = beam.childrenOf(drafts[row]);
            int drawn = passes.drawn(row);
            if (drawn == DraftPasses.NOTHING || children == 0) {
                continue;
            }
            beam.add(drafts[row], 0, drawn, passes.topLogprob(row, 0));
            int added = 1;
            for (int rank = 0; added < children && rank < children; rank++) {
                int token = passes.top(row, rank);
                if (token != drawn && token != DraftPasses.NOTHING) {
                    beam.add(drafts[row], added++, token, passes.topLogprob(row, rank));
                }
            }
        }
    }

    /** Rows behind what is gone on behind: those of a sequence side by side. */
    private void nextLevel(Stream stream) {
        int numSeqs = noteSequences();
        numCopies = 0;
        passes.begin();
        for (int i = 0; i < numSeqs; i++) {
            Drafts of = seqs[i].drafting();
            DraftBeam beam = of.beam();
            beam.endLevel();
            if (beam.level() < of.wanted()) {
                goOn(seqs[i], of, beam, firstRows[i]);
            }
        }
        if (numCopies > 0) {
            pairs.within(copies, numCopies);
            caches.enqueue(pairs, stream);
        }
    }

    private int noteSequences() {
        int count = 0;
        for (int row = 0; row < passes.numRows(); row++) {
            Sequence sequence = passes.sequence(row);
            if (count == 0 || seqs[count - 1] != sequence) {
                seqs[count] = sequence;
                firstRows[count++] = row;
            }
        }
        return count;
    }

    /** Those of a level that there is room for, the likeliest first. */
    private void goOn(Sequence sequence, Drafts of, DraftBeam beam, int firstRow) {
        int depth = beam.level();
        int end = passes.origin(of) + depth;
        for (int i = 0; i < beam.numOpen() && passes.numRows() < maxRows; i++) {
            int draft = beam.open(i);
            int parent = depth == 1 ? 0 : beam.placeOfParent(draft);
            BlockFork fork = beam.fork(i);
            if (depth == 1) {
                copyFirst(sequence.table, fork, end);
            } else {
                copy(beam.forkBefore(parent), fork, end);
            }
            drafts[passes.numRows()] = draft;
            passes.add(sequence, fork, depth, beam.token(draft), firstRow + parent);
        }
    }

    /**
     * The keys that a level has in common with its sequence.
     *
     * @param end the place of its own
     */
    private void copyFirst(BlockTable table, BlockFork fork, int end) {
        if (end > fork.first() * BlockPool.BLOCK_TOKENS) {
            addCopy(table.block(fork.first()), fork.block(0));
        }
    }

    /** The keys of a draft's parent, and of those before it. */
    private void copy(BlockFork from, BlockFork to, int end) {
        int count = BlockPool.blocksFor(end) - to.first();
        for (int i = 0; i < count; i++) {
            addCopy(from.block(i), to.block(i));
        }
    }

    private void addCopy(int source, int destination) {
        if (2 * numCopies == copies.length) {
            copies = Arrays.copyOf(copies, 2 * copies.length);
        }
        copies[2 * numCopies] = source;
        copies[2 * numCopies + 1] = destination;
        numCopies++;
    }

    /** After the stream has ended. */
    @Override
    public void close() {
        pairs.close();
        caches.close();
    }
}
