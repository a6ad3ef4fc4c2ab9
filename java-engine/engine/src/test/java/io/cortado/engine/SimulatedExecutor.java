package io.cortado.engine;

import io.cortado.kv.BlockPool;
import io.cortado.model.Pooler;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Draws tokens that depend on the sequence's seed and the position only, and checks each batch
 * against the contract of the kernels. Batches run in the order of their submission, so what a
 * sequence finds in its blocks is what was last written there before.
 */
class SimulatedExecutor implements Executor {
    /** The most that any limits allow. */
    private static final int MAX_SEQS = 4096;

    private final int vocabSize;

    // By slot: whose keys lie there, and of which of its tokens.
    private final @Nullable Sequence[] keyOwners;
    private final int[] keyPositions;

    private final float[] sums;

    private @Nullable Batch last;
    private long steps;

    SimulatedExecutor(int vocabSize, int numBlocks) {
        this.vocabSize = vocabSize;
        keyOwners = new @Nullable Sequence[numBlocks * BlockPool.BLOCK_TOKENS];
        keyPositions = new int[keyOwners.length];
        sums = new float[MAX_SEQS];
    }

    /** The token that a sequence must get at a position, whatever shares its batch. */
    static int tokenAt(long seed, long position, int vocabSize) {
        return (int) Math.floorMod(Seeds.ofAnswer(seed, (int) position), (long) vocabSize);
    }

    @Override
    public void submit(Batch batch) {
        steps++;
        for (int i = 0; i < batch.numSeqs(); i++) {
            Sequence sequence = batch.sequence(i);
            int first = batch.cuSeqlensQ[i];
            for (int t = first; t < batch.cuSeqlensQ[i + 1]; t++) {
                int position = sequence.computed + t - first;
                check(batch.positions[t] == position, "position");
                checkId(batch, t, sequence, position);
                check(batch.slots[t] == sequence.table.slot(position), "slot");
                keyOwners[(int) batch.slots[t]] = sequence;
                keyPositions[(int) batch.slots[t]] = position;
            }
            check(batch.seqlensKv[i] == sequence.computed + batch.tokensOf(i), "length");
        }
        for (int i = 0; i < batch.numSeqs(); i++) {
            checkKeys(batch.sequence(i), batch.seqlensKv[i]);
        }
        pool(batch);
        last = batch;
    }

    /** A hidden state of one dimension: the token's id. */
    private void pool(Batch batch) {
        for (int i = 0; i < batch.numSegments(); i++) {
            int at = i * Pooler.SEGMENT;
            int sum = batch.segments[at + 2];
            sums[sum] = batch.segments[at + 3] == 1 ? 0 : sums[sum];
            for (int t = batch.segments[at]; t < batch.segments[at + 1]; t++) {
                sums[sum] += batch.ids[t];
            }
        }
        for (int i = 0; i < batch.numFinishedSums(); i++) {
            Request request = batch.sequence(batch.finishedSequences[i]).request;
            Objects.requireNonNull(request.pooled).sums[0] = sums[batch.finishedSums[i]];
        }
    }

    /** All that attention reads is the sequence's own. One place of each block a step, in turn. */
    private void checkKeys(Sequence sequence, int length) {
        int first = (int) (steps % BlockPool.BLOCK_TOKENS);
        for (int position = first; position < length; position += BlockPool.BLOCK_TOKENS) {
            int slot = (int) sequence.table.slot(position);
            check(keyOwners[slot] == sequence && keyPositions[slot] == position, "key");
        }
    }

    /** What the host does not know yet is drawn by the batch before, for this very position. */
    private void checkId(Batch batch, int token, Sequence sequence, int position) {
        int row = batch.fedRows[token];
        if (row == Batch.KNOWN) {
            check(batch.ids[token] == sequence.token(position), "id");
        } else {
            Batch from = Objects.requireNonNull(last);
            check(from != batch && row < from.numRows(), "fed row");
            check(from.sequence(from.rowSequence[row]) == sequence, "fed sequence");
            check(from.rowForced[row] == Batch.DRAW, "fed row, which draws nothing");
            check(from.rowPosition[row] == position, "fed position");
        }
    }

    private static void check(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError("the batch has a wrong " + what);
        }
    }

    @Override
    public void await(Batch batch) {
        for (int row = 0; row < batch.numRows(); row++) {
            Sequence sequence = batch.sequence(batch.rowSequence[row]);
            int forced = batch.rowForced[row];
            batch.token[row] =
                    forced == Batch.DRAW
                            ? tokenAt(sequence.seed, batch.rowPosition[row], vocabSize)
                            : forced;
            batch.logprob[row] = -batch.token[row] / 100f;
            batch.rank[row] = 1 + batch.token[row] % 5;
            batch.status[row] = SampleStatus.OK;
            for (int i = 0; i < batch.tops(); i++) {
                batch.topIds[row * Batch.MAX_TOPS + i] = i;
                batch.topLogprobs[row * Batch.MAX_TOPS + i] = -i;
            }
        }
    }

    @Override
    public void close() {}
}
