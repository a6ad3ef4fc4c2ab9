package io.cortado.engine;

import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Draws tokens that depend on the sequence's seed and the position only, and checks each batch
 * against the contract of the kernels.
 */
class SimulatedExecutor implements Executor {
    private final int vocabSize;
    private @Nullable Batch last;
    long steps;

    SimulatedExecutor(int vocabSize) {
        this.vocabSize = vocabSize;
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
            }
            check(batch.seqlensKv[i] == sequence.computed + batch.tokensOf(i), "length");
        }
        last = batch;
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
